/* fronts.h : the one list of the fronts. A variant is a file and a row here; its switch is a row of variants.def.
 *
 * F(arg, front, gate, value, rest)
 *   front, gate, value   front_malloc() and front_free() serve when the gate has that value, in the word that hak_option_get() gives for it
 *   rest                 whose calloc, realloc, memalign ... serve then: hakt, the core's; or front, when its blocks are laid out otherwise */
#ifndef HAK_VARIANTS_FRONTS_H
#define HAK_VARIANTS_FRONTS_H

/* clang-format off */
#define HAK_FRONTS(F, arg)                                    \
    F(arg, layered,  fastlane_direct,     "0",       hakt)    \
    F(arg, guarded,  wrap_tiny,           "1",       hakt)    \
    F(arg, hashed,   tiny_use_superslab,  "0",       hakt)    \
    F(arg, called,   inline_front,        "call",    hakt)    \
    F(arg, inlined,  inline_front,        "wrapper", hakt)    \
    F(arg, header,   header_byte,         "1",       header)  \
    F(arg, snapshot, gate_snapshot,       "tls",     hakt)    \
    F(arg, gated,    gate_snapshot,       "reads",   hakt)    \
    F(arg, counted,  op_counters,         "all",     hakt)    \
    F(arg, sampled,  op_counters,         "sampled", hakt)    \
    F(arg, routed,   route_table,         "static",  hakt)    \
    F(arg, bitted,   route_table,         "tls",     hakt)    \
    F(arg, deferred,   deferred_free,     "1",       hakt)    \
    F(arg, background, background_refill, "1",       hakt)    \
    F(arg, hybrid,     hybrid,            "1",       hakt)
/* clang-format on */

#endif
