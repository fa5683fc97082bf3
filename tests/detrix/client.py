"""A program with detrix-py in it, as it is published. What it is told on stdin, it does."""

import json
import os
import sys

import detrix


def work(number):
    doubled = 2 * number
    return doubled  # observed


def main():
    detrix.init(name=sys.argv[1], daemon_url=sys.argv[2])
    for line in sys.stdin:
        word = line.strip()
        if word == "wake":
            said = detrix.wake()
        elif word == "sleep":
            said = detrix.sleep()
        elif word == "status":
            said = detrix.status()
        elif word == "shutdown":
            detrix.shutdown()
            said = {}
        else:
            said = {"worked": [work(number) for number in range(int(word))]}
        print(json.dumps({"pid": os.getpid(), **said}, default=str), flush=True)


if __name__ == "__main__":
    main()
