from __future__ import annotations

from treetap.stack import task


class Node:
    def __init__(self, name: str, *families: list[Node]) -> None:
        self.name = name
        self.families = families


def told(*tops: Node) -> tuple[list[tuple[int, int, str]], int]:
    rows, left_out = task.rows(
        tops, lambda node: {"name": node.name, "frames": []}, lambda node: node.families
    )
    return [(row["depth"], row["nursery"], row["name"]) for row in rows], left_out


def test_parents_come_before_their_children_and_each_comes_once():
    shared = Node("shared")
    tree = Node("top", [Node("a", [Node("deep"), shared])], [Node("b", [shared])])
    assert told(tree, Node("other")) == (
        [
            (0, 0, "top"),
            (1, 0, "a"),
            (2, 0, "deep"),
            (2, 0, "shared"),
            (1, 1, "b"),
            (0, 0, "other"),
        ],
        0,
    )


def test_of_a_long_chain_and_of_a_crowd_what_is_too_much_is_counted():
    chain = Node("0")
    for number in range(1, task.MAX_TASKS + 10):
        chain = Node(str(number), [chain])
    rows, left_out = told(chain)
    assert (len(rows), left_out) == (task.MAX_TASKS, 10)
    crowd = Node("top", [Node(str(number)) for number in range(task.MAX_TASKS + 10)])
    rows, left_out = told(crowd)
    assert (len(rows), left_out) == (task.MAX_TASKS, 11)


def test_a_tree_with_too_many_places_is_cut_too():
    many = [["file", 1, "f"]] * (task.MAX_PLACES // 2)
    rows, left_out = task.rows(
        [Node("a"), Node("b"), Node("c")], lambda node: {"frames": many}, lambda node: ()
    )
    assert (len(rows), left_out) == (2, 1)
