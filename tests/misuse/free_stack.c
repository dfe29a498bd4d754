/* free() of a variable on the stack. */
#include "misuse.h"

int main(void) {
    check_start();
    char variable[64] __attribute__((aligned(16))) = {0};
    free(announce(variable));
    return 0;
}
