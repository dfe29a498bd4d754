/* os/os_clock.h : the time, past whoever stands before libc's clock_gettime(). */
#ifndef HAK_OS_OS_CLOCK_H
#define HAK_OS_OS_CLOCK_H

#include "base/attr.h"
#include <time.h>

typedef int os_clock_function(clockid_t id, struct timespec *t);
/* clock_gettime(2) by the kernel's function for user space where there is one, else by libc's. */
HAK_HIDDEN os_clock_function os_clock;

#endif
