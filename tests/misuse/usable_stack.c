/* malloc_usable_size() of a variable on the stack. */
#include "misuse.h"

int main(void) {
    check_start();
    char variable[64] __attribute__((aligned(16))) = {0};
    return malloc_usable_size(announce(variable)) == 4242;
}
