/* gates.c : the parser: values, ranges, words, precedence, and one warning line for each mistake. */
#include "gates/gates.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>

/* gates_read() with what it wrote to stderr. */
static const char *read_with(char **env) {
    static char text[4096];
    int keep = dup(2), file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_true(keep >= 0 && file >= 0);
    dup2(file, 2);
    gates_read(env);
    dup2(keep, 2);
    close(keep);
    ssize_t n = pread(file, text, sizeof text - 1, 0);
    close(file);
    text[n > 0 ? n : 0] = 0;
    return text;
}

#define ENV(...) ((char **)(const char *[]){__VA_ARGS__, 0})

/* What gates.def says, whatever it says. */
static const struct gates defined = {
#define HAK_GATE(name, type, choices, def, min, max, kind, state, box, record, text) .name = (def),
#include "gates/gates.def"
};

static void defaults(void **state) {
    (void)state;
    assert_string_equal(read_with(0), "");
    assert_memory_equal(&hak_gates, &defined, sizeof defined);
    assert_string_equal(read_with(ENV("PATH=/bin", "HAKMEM=1", "HAKMEMX=2", "HOME")), "");
    assert_int_equal(hak_gates.force_libc, 0);
}

static void values(void **state) {
    (void)state;
    assert_string_equal(read_with(ENV("HAKMEM_DECAY=0", "HAKMEM_MAGAZINE_BYTES=64K", "HAKMEM_WORKER=auto",
                                      "HAKMEM_FORCE_LIBC=off", "HAKMEM_ARENA_MAX=16G")),
                        "");
    assert_int_equal(hak_gates.decay, 0);
    assert_int_equal(hak_gates.magazine_bytes, 65536);
    assert_int_equal(hak_gates.worker, 1);
    assert_int_equal(hak_gates.arena_max, (uint64_t)16 << 30);
    assert_string_equal(read_with(ENV("HAKMEM_MAGAZINE_BYTES=1m", "HAKMEM_FORCE_LIBC=yes", "HAKMEM_decay=5")), "");
    assert_int_equal(hak_gates.magazine_bytes, 1 << 20);
    assert_int_equal(hak_gates.force_libc, 1);
    assert_int_equal(hak_gates.decay, 5);
}

/* HAKMEM_CONF is read first, wherever it stands; a variable of its own wins. */
static void precedence(void **state) {
    (void)state;
    assert_string_equal(read_with(ENV("HAKMEM_DECAY=1", "HAKMEM_CONF=decay:2,thp:never,,remote_batch:7")), "");
    assert_int_equal(hak_gates.decay, 1);
    assert_int_equal(hak_gates.thp, 0);
    assert_int_equal(hak_gates.remote_batch, 7);
}

static void mistakes(void **state) {
    (void)state;
    char line[128];
    snprintf(line, sizeof line, "HAKMEM_DECAY: \"soon\" is not a number; using %u\n", (unsigned)defined.decay);
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAY=soon")), line));
    assert_int_equal(hak_gates.decay, defined.decay);
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAY=")), "is not a number"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAY=99999999")), "is not in 0..3600000"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAY=99999999999999999999999999")), "is not in 0..3600000"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAY=-1")), "is not a number"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_REMOTE_BATCH=5K")), "is not a number"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_MAGAZINE_BYTES=18446744073709551615G")), "is not in"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_MAGAZINE_BYTES=K")), "is not a number"));
    assert_non_null(
        strstr(read_with(ENV("HAKMEM_THP=sometimes")), "is not one of never|default|always; using default"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_THP=alway")), "is not one of"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_FORCE_LIBC=2")), "is not one of 0|1|off|on; using 0"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECAYS=1")), "HAKMEM_DECAYS: no such option; ignored"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_DECA=1")), "HAKMEM_DECA: no such option"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_WRAP_TINY=1")), "HAKMEM_WRAP_TINY: replaced by"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_CONF=decay")), "\"decay\" is not option:value"));
    assert_non_null(strstr(read_with(ENV("HAKMEM_CONF=colour:red")), "HAKMEM_COLOUR: no such option"));
}

static void one_line_each(void **state) {
    (void)state;
    const char *text = read_with(ENV("HAKMEM_THP=x", "HAKMEM_DECAY=y", "HAKMEM_Z=z"));
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')) != 0; p++) {
        lines++;
    }
    assert_int_equal(lines, 3);
}

static void get_and_set(void **state) {
    (void)state;
    char text[32];
    read_with(0);
    assert_int_equal(gates_get("worker", text, sizeof text), 3);
    assert_string_equal(text, "off");
    assert_int_equal(gates_get("WORKER", text, sizeof text), 3);
    assert_int_equal(gates_get("thp", text, 4), 7);
    assert_string_equal(text, "def");
    assert_int_equal(gates_get("thp", 0, 0), 7);
    assert_int_equal(gates_get("none", text, sizeof text), -ENOENT);
    assert_int_equal(gates_set("decay", "77"), 0);
    assert_int_equal(hak_gates.decay, 77);
    assert_int_equal(gates_set("decay", "many"), -EINVAL);
    assert_int_equal(gates_set("thp", "always"), -EPERM);
    assert_int_equal(gates_set("none", "1"), -ENOENT);
    assert_int_equal(hak_gates.decay, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults),      cmocka_unit_test(values),
                                       cmocka_unit_test(precedence),    cmocka_unit_test(mistakes),
                                       cmocka_unit_test(one_line_each), cmocka_unit_test(get_and_set)};
    return RUN(tests);
}
