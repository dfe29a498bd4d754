/* secure.c : under AT_SECURE (setuid programs) the environment is not read. The program is linked with libhakmem.a, since the loader drops
 * LD_PRELOAD there; it runs a set-user-ID copy of itself with options that would warn and change things. */
#include "alloc.h"
#include "hakmem/hakmem.h"
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static bool option_is(const char *name, const char *want) {
    char text[32] = "";
    hak_option_get(name, text, sizeof text);
    return strcmp(text, want) == 0;
}

static int in_copy(void) {
    if (!getauxval(AT_SECURE)) {
        return CHECK_SKIP; /* the file system is mounted nosuid, or no_new_privs is set */
    }
    free(malloc(100));
    CHECK(option_is("decay", "1000"));
    CHECK(option_is("remote_batch", "126"));
    return check_done();
}

static void copy_self(const char *path) {
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    REQUIRE(from >= 0 && to >= 0);
    static char buffer[65536];
    for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) {
        REQUIRE(write(to, buffer, (size_t)n) == n);
    }
    close(from);
    REQUIRE(fchown(to, NOBODY, NOBODY) == 0 && fchmod(to, 04755) == 0);
    close(to);
}

/* Runs the copy; its stderr goes to a pipe. Returns its exit status, the text's length in *said. */
static int run_copy(char *path, size_t *said) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 2);
        clearenv();
        setenv("HAKMEM_DECAY", "1", 1);
        setenv("HAKMEM_CONF", "remote_batch:3", 1);
        setenv("HAKMEM_WORKER", "fast", 1);
        setenv("HAKMEM_FOO", "1", 1);
        execl(path, path, "copy", (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    char text[4096];
    *said = 0;
    for (ssize_t n; (n = read(ends[0], text, sizeof text)) > 0;) {
        *said += (size_t)n;
        REQUIRE(write(2, text, (size_t)n) == n);
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char **argv) {
    check_start();
    if (argc > 1 && strcmp(argv[1], "copy") == 0) {
        return in_copy();
    }
    if (geteuid() != 0) {
        check_skip("needs root to make a set-user-ID copy of itself");
    }
    char path[64];
    snprintf(path, sizeof path, "/tmp/hakmem-secure-%ld", (long)getpid());
    copy_self(path);
    size_t said = 0;
    int status = run_copy(path, &said);
    unlink(path);
    if (status == CHECK_SKIP) {
        check_skip("set-user-ID has no effect here (nosuid)");
    }
    CHECK(status == 0);
    CHECK(said == 0);
    return check_done();
}
