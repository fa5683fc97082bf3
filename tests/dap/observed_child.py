"""What `observed` starts: says the square of its argument, and waits for a line if there is another one."""

import sys

number = int(sys.argv[1])
square = number * number
print(square)  # SQUARE
if len(sys.argv) > 2:
    sys.stdin.readline()
