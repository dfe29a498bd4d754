/* statistics.h : the few statistics that a verdict rests on. All are deterministic: random resampling starts from a given seed. */
#ifndef HAKMEM_STATISTICS_H
#define HAKMEM_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(uint64_t *state);
/* Uniform in 0..n-1. */
size_t random_below(uint64_t *state, size_t n);
void random_shuffle(uint64_t *state, size_t *items, size_t n);

/* A number that sums up a sample. n > 0. */
typedef double statistic(const double *x, size_t n);
statistic stat_mean, stat_median, stat_trimmed; /* trimmed: the mean without the smallest and the largest fifth */
statistic
    stat_signed_rank; /* sum of the signed ranks of |x| (Wilcoxon 1945): for tests, as one wild pair cannot move it far */
statistic stat_sd;    /* with n - 1 */

/* q in 0..1, linear between the neighbours (type 7 of Hyndman and Fan 1996). x must be sorted. */
double stat_quantile(const double *sorted, size_t n, double q);
void stat_sort(double *x, size_t n);

struct interval {
    double low, high;
};
/* Bootstrap interval of the statistic at that confidence (0.95): bias-corrected and accelerated (Efron 1987; Efron and Tibshirani 1993,
 * chapter 14.3), over `draws` resamples. n of 1 gives the point itself. */
struct interval bootstrap_bca(const double *x, size_t n, statistic *s, double confidence, size_t draws, uint64_t seed);
/* The plain percentile interval of the same resamples. */
struct interval bootstrap_percentile(const double *x, size_t n, statistic *s, double confidence, size_t draws,
                                     uint64_t seed);

/* Two-sided p of paired differences around 0 by flipping signs (Fisher 1935, section 21): all 2^n flips up to n = 16, otherwise
 * `draws` random ones, where the observed one counts too (Phipson and Smyth 2010), so p is never 0. */
double permutation_paired(const double *differences, size_t n, statistic *s, size_t draws, uint64_t seed);
/* Two-sided p that a and b come from one distribution, statistic the difference of means; all splits up to 20000 of them, else random ones. */
double permutation_two(const double *a, size_t n, const double *b, size_t m, size_t draws, uint64_t seed);

double normal_cdf(double z);
double normal_quantile(double p);

#endif
