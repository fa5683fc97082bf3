/* Observed through lldb-dap, for the tests of treetap.dap. */
#include <unistd.h>

struct order {
    int id;
    const char *name;
    double lines[2];
};

static double handle(struct order order, const char *note, long count) {
    double total = order.lines[0] + order.lines[1];
    return total + (note == 0); /* TOTAL */
}

int main(void) {
    for (long count = 0;; count++) {
        struct order order = {7, "a \"name\"", {1.5, 2}};
        handle(order, "a|b\n\"\xc3\xa9\" {x} ...+5 more", count);
        usleep(20000);
    }
}
