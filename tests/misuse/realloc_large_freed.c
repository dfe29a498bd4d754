/* realloc() of a large block that was freed. */
#include "misuse.h"

int main(void) {
    check_start();
    char *p = malloc(3000000);
    free(announce(p));
    return realloc(hide(p), 1000) == NULL;
}
