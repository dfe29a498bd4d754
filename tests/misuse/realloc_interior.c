/* realloc() of a pointer into the middle of a block. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(100);
    return realloc(announce(p + 16), 1000) == NULL;
}
