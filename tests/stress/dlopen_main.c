/* dlopen_main.c : libraries that come later.
 *   dlopen_main PLUGIN             loads a library with 1.2 KiB of static TLS: our own must leave room for it
 *   dlopen_main PLUGIN deepbind    loads it with RTLD_DEEPBIND, by its bare name and the program's RUNPATH, and lets it free our blocks
 *   dlopen_main PLUGIN LIBHAKMEM   loads libhakmem itself, as a plugin that was linked with it does, uses it, closes it, many times */
#include "alloc.h"
#include <dlfcn.h>

static void plugin(const char *path) {
    for (int i = 0; i < 20; i++) {
        void *handle = dlopen(path, RTLD_NOW);
        if (!handle) {
            fprintf(stderr, "%s\n", dlerror());
        }
        REQUIRE(handle != NULL);
        int (*fill)(int) = NULL;
        *(void **)&fill = dlsym(handle, "plugin_fill");
        REQUIRE(fill != NULL);
        CHECK(fill(i) == i);
        dlclose(handle);
    }
}

static void use_library(void *handle) {
    void *(*take)(size_t) = NULL;
    void (*give)(void *) = NULL;
    *(void **)&take = dlsym(handle, "malloc");
    *(void **)&give = dlsym(handle, "free");
    REQUIRE(take && give);
    for (size_t n = 1; n < 5000000; n = n * 2 + 1) {
        struct stress_block b = stress_take(take(n), n, n), ours = stress_take(malloc(n), n, n + 1);
        CHECK(stress_intact(&b, n));
        give(b.at);
        stress_free(&ours);
    }
}

static void *in_thread(void *handle) {
    use_library(handle);
    return NULL;
}

static void library(const char *path) {
    for (int i = 0; i < 20; i++) {
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
            fprintf(stderr, "%s\n", dlerror());
        }
        REQUIRE(handle != NULL);
        use_library(handle);
        pthread_t t = stress_start(in_thread, handle);
        pthread_join(t, NULL);
        dlclose(handle);
        free(malloc(100));
    }
}

static void deepbind(const char *path) {
    const char *slash = strrchr(path, '/');
    void *handle = dlopen(slash ? slash + 1 : path, RTLD_NOW | RTLD_DEEPBIND);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
    }
    REQUIRE(handle != NULL);
    void (*give)(void *) = NULL;
    *(void **)&give = dlsym(handle, "plugin_free");
    REQUIRE(give != NULL);
    for (size_t n = 1; n < 5000000; n = n * 2 + 1) {
        give(malloc(n));
    }
    dlclose(handle);
}

int main(int argc, char **argv) {
    check_start();
    REQUIRE(argc >= 2);
    plugin(argv[1]);
    if (argc > 2 && strcmp(argv[2], "deepbind") == 0) {
        deepbind(argv[1]);
    } else if (argc > 2) {
        library(argv[2]);
    }
    return check_done();
}
