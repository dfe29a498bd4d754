/* background.c : Option A of the notes, background refill: a miss takes a chunk that a worker prepared.
 * Gate       HAKMEM_BACKGROUND_REFILL=1          Decision  docs/decisions/031          Test  variants/ */
#include "front.h"
#include "refill.h"

/* The core's own hot path, with another door for misses; declared as the core's is. */
#define hak_malloc_cold refill_cold
#include "hot/free_hot.h"
#include "hot/malloc_hot.h"

void *background_malloc(size_t n) { return hak_malloc_hot(n); }

void background_free(void *p) { hak_free_hot(p); }
