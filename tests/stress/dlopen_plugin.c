/* dlopen_plugin.c : a library that needs 1.2 KiB of static TLS (initial-exec), as OpenMP runtimes and language runtimes do. */
#include <stdlib.h>
#include <string.h>

int plugin_fill(int value);
void plugin_free(void *p);

static __thread int words[300] __attribute__((tls_model("initial-exec")));

int plugin_fill(int value) {
    char *p = malloc(1000);
    if (!p) {
        return -1;
    }
    memset(p, value, 1000);
    for (int i = 0; i < 300; i++) {
        words[i] = value;
    }
    free(p);
    return words[299];
}

void plugin_free(void *p) { free(p); }
