/* info_first.c : asks for an introspection function alone. */
#include <malloc.h>
#include <stdio.h>

int main(void) {
    malloc_trim(0);
    puts("ok");
    return 0;
}
