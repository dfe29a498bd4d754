/* diag/sites.h : what each call site of hak_alloc_at() and hak_free_at() did.                                          L3 */
#ifndef HAK_DIAG_SITES_H
#define HAK_DIAG_SITES_H

#include "base/attr.h"
#include "hakmem/hakmem.h"
#include <stddef.h>

enum { SITES_MAX = 4096 };

/* Counts a block of n bytes allocated, or freed, at the site. Any thread, lock-free but for the first call's meta_alloc(). */
HAK_HIDDEN void sites_count_alloc(const void *site, size_t n);
HAK_HIDDEN void sites_count_free(const void *site, size_t n);
/* Copies up to n sites' totals into out; returns how many there are. Totals that change meanwhile are as of when they are read. */
HAK_HIDDEN size_t sites_copy(struct hak_site *out, size_t n);
/* The next site at or after *cursor (0 at first), for a reader without room for all; false at the end. */
HAK_HIDDEN bool sites_next(size_t *cursor, struct hak_site *out);

#endif
