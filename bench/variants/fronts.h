/* fronts.h : the one list of the fronts. A variant is a file and a row here; its switch is a row of variants.def.
 *
 * F(arg, front, gate, value, rest)
 *   front, gate, value   front_malloc() and front_free() serve when the gate has that value, in the word that hak_option_get() gives for it
 *   rest                 whose calloc, realloc, memalign ... serve then: hakt, the core's; or front, when its blocks are laid out otherwise */
#ifndef HAK_VARIANTS_FRONTS_H
#define HAK_VARIANTS_FRONTS_H

#define HAK_FRONTS(F, arg) F(arg, layered, fastlane_direct, "0", hakt)

#endif
