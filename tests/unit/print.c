/* print.c : base/print.h against what it promises. */
#include "base/print.h"
#include "unit.h"
#include <errno.h>
#include <limits.h>

static void conversions(void **state) {
    (void)state;
    char s[128] = "";
    const char *volatile none = 0;
    size_t n = hak_format(s, sizeof s, "%s|%d|%u|%zu|%x|%c|%%|%p", "a", INT_MIN, UINT_MAX, SIZE_MAX, 0xbeefu, 'z',
                          (void *)0x1234);
    assert_int_equal(n, strlen(s));
    assert_string_equal(s, "a|-2147483648|4294967295|18446744073709551615|beef|z|%|0x1234");
    hak_format(s, sizeof s, "%s %d %u", none, 0, 0u);
    assert_string_equal(s, "(null) 0 0");
}

static void cut(void **state) {
    (void)state;
    char s[6] = "xxxxx";
    assert_int_equal(hak_format(s, 4, "%s", "abcdef"), 6);
    assert_memory_equal(s, "abc\0x", 5);
    assert_int_equal(hak_format(s, 0, "%d", 123), 3);
    assert_int_equal(hak_format(0, 0, "%d", 123), 3);
    assert_int_equal(s[0], 'a');
    assert_int_equal(hak_format(s, 1, "abc"), 3);
    assert_int_equal(s[0], 0);
}

static void warn(void) {
    errno = 4242;
    hak_warn("hakmem: %s %zu", "line", (size_t)7);
    if (errno != 4242) {
        _exit(3);
    }
    hak_die("hakmem: the end %d", -1);
}

static void long_line(void) {
    char s[2000];
    memset(s, 'y', sizeof s - 1);
    s[sizeof s - 1] = 0;
    hak_die("%s", s);
}

static void lines(void **state) {
    (void)state;
    unit_child(warn, "hakmem: line 7\nhakmem: the end -1\n");
    unit_child(long_line, "yyyyyyyy\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(conversions), cmocka_unit_test(cut), cmocka_unit_test(lines)};
    return RUN(tests);
}
