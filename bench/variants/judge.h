/* judge.h : the front that front.c chose, for judge.c; and for the command line, which knows libhakmem-variants.so by this symbol. */
#ifndef HAK_VARIANTS_JUDGE_H
#define HAK_VARIANTS_JUDGE_H

#include "base/attr.h"

extern HAK_HIDDEN int hak_front_chosen; /* enum front; -1 before the first resolver ran */

#endif
