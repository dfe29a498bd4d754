/* base/print.c : the formatter behind every message of the allocator.                                                L-
 * Owns       nothing          Threads  any, async-signal-safe          Test  unit/print */
#include "base/print.h"
#include "base/kernel.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c) {
    if (o->len + 1 < o->size) {
        o->buf[o->len] = c;
    }
    o->len++;
}

static void put_text(struct out *o, const char *s) {
    for (s = s ? s : "(null)"; *s; s++) {
        put(o, *s);
    }
}

static void put_number(struct out *o, uint64_t v, unsigned radix) {
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % radix];
        v /= radix;
    } while (v);
    while (n) {
        put(o, digits[--n]);
    }
}

static void put_int(struct out *o, int v) {
    if (v < 0) {
        put(o, '-');
    }
    put_number(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

/* One conversion; returns the characters of fmt that it used. */
static size_t convert(struct out *o, const char *fmt, va_list *ap) {
    switch (fmt[0]) {
    case 's':
        put_text(o, va_arg(*ap, const char *));
        return 1;
    case 'd':
        put_int(o, va_arg(*ap, int));
        return 1;
    case 'u':
        put_number(o, va_arg(*ap, unsigned), 10);
        return 1;
    case 'x':
        put_number(o, va_arg(*ap, unsigned), 16);
        return 1;
    case 'c':
        put(o, (char)va_arg(*ap, int));
        return 1;
    case 'p':
        put_text(o, "0x");
        put_number(o, (uintptr_t)va_arg(*ap, void *), 16);
        return 1;
    case 'z':
        put_number(o, va_arg(*ap, size_t), 10);
        return fmt[1] == 'u' ? 2 : 1;
    case 0:
        return 0;
    default:
        put(o, fmt[0]);
        return 1;
    }
}

size_t hak_vformat(char *buf, size_t size, const char *fmt, va_list ap) {
    struct out o = {buf, size, 0};
    va_list args;
    va_copy(args, ap);
    while (*fmt) {
        if (*fmt != '%') {
            put(&o, *fmt++);
        } else {
            fmt += 1 + convert(&o, fmt + 1, &args);
        }
    }
    va_end(args);
    if (size) {
        buf[o.len < size ? o.len : size - 1] = 0;
    }
    return o.len;
}

size_t hak_format(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    size_t n = hak_vformat(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

static void print_line(const char *fmt, va_list ap) {
    char line[512];
    size_t n = hak_vformat(line, sizeof line - 1, fmt, ap);
    n = n < sizeof line - 2 ? n : sizeof line - 2;
    line[n++] = '\n';
    for (size_t done = 0; done < n;) {
        long w = hak_kernel3(SYS_write, STDERR_FILENO, (uintptr_t)line + done, n - done);
        if (w < 0 && w != -EINTR) {
            break; /* a closed stderr loses the message, not the program */
        }
        done += w > 0 ? (size_t)w : 0;
    }
}

void hak_warn(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    print_line(fmt, ap);
    va_end(ap);
}

/* abort(3), of which a corrupted process may have nothing but the kernel's part left. A program's handler for SIGABRT may leave by longjmp(). */
static HAK_NORETURN void die(void) {
    enum { SET_BYTES = 8 };
    const uint64_t only = UINT64_C(1) << (SIGABRT - 1), by_default[8] = {0};
    long self = hak_kernel3(SYS_getpid, 0, 0, 0), thread = hak_kernel3(SYS_gettid, 0, 0, 0);
    for (;;) {
        hak_kernel(SYS_rt_sigprocmask, SIG_UNBLOCK, (uintptr_t)&only, 0, SET_BYTES, 0, 0);
        hak_kernel3(SYS_tgkill, (uintptr_t)self, (uintptr_t)thread, SIGABRT);
        /* It is ignored, or its handler came back. */
        hak_kernel(SYS_rt_sigaction, SIGABRT, (uintptr_t)by_default, 0, SET_BYTES, 0, 0);
    }
}

void hak_die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    print_line(fmt, ap);
    va_end(ap);
    die();
}
