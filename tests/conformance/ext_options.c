/* ext_options.c : hakmem.h: options by name. Run with HAKMEM_DECAY=1234 and HAKMEM_CONF=decay:77,remote_batch:5.  hakmem only */
#include "conformance/family.h"
#include "hakmem/hakmem.h"

static bool is(const char *name, const char *want) {
    char text[64];
    int n = hak_option_get(name, text, sizeof text);
    return n == (int)strlen(want) && strcmp(text, want) == 0;
}

static void get(void) {
    bool with_env = getenv("HAKMEM_DECAY") != NULL;
    CHECK(is("decay", with_env ? "1234" : "1000")); /* the variable of its own wins over HAKMEM_CONF */
    CHECK(is("remote_batch", with_env ? "5" : "126"));
    CHECK(is("worker", "off"));
    CHECK(is("force_libc", "0"));
    char text[4] = "zzz";
    int full = hak_option_get("worker", text, 3); /* cut as snprintf cuts */
    CHECK(full == 3 && text[2] == 0 && text[0] == 'o' && text[1] == 'f');
    CHECK(hak_option_get("worker", NULL, 0) == 3);
    errno = 0;
    CHECK(hak_option_get("no_such_option", text, sizeof text) == -1 && errno == ENOENT);
    errno = 0;
    CHECK(hak_option_get("", text, sizeof text) == -1 && errno == ENOENT);
}

static void set(void) {
    CHECK(hak_option_set("decay", "500") == 0);
    CHECK(is("decay", "500"));
    errno = 0;
    CHECK(hak_option_set("decay", "99999999999") == -1 && errno == EINVAL);
    errno = 0;
    CHECK(hak_option_set("decay", "soon") == -1 && errno == EINVAL);
    CHECK(is("decay", "500"));
    errno = 0;
    CHECK(hak_option_set("force_libc", "1") == -1 && errno == EPERM);
    errno = 0;
    CHECK(hak_option_set("no_such_option", "1") == -1 && errno == ENOENT);
    CHECK(hak_option_set("decay", "0") == 0 && is("decay", "0"));
    void *p = malloc(30000000);
    REQUIRE(p != NULL);
    memset(p, 1, 30000000);
    free(p);
    CHECK(hak_option_set("decay", "1000") == 0);
}

int main(void) {
    check_start();
    get();
    set();
    return check_done();
}
