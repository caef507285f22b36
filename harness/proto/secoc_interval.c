/* SPDX-License-Identifier: Apache-2.0 */
/* The Clopper-Pearson interval: the binomial tail is a regularised incomplete beta function, which is monotonous in p. */
#include <math.h>

#include "secoc.h"

#define FRACTION_STEPS  10000
#define BISECTION_STEPS 200

/* The continued fraction of the incomplete beta function by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m <= FRACTION_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), change;

		d = 1 + even * d;
		c = 1 + even / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		d = 1 + odd * d;
		c = 1 + odd / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		change = d * c;
		h *= change;
		if (fabs(change - 1) < 1e-15)
			break;
	}
	return h;
}

static double beta_regularised(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	/* The fraction converges fast below the mean only. */
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static double beta_quantile(double a, double b, double probability)
{
	double low = 0, high = 1;

	for (int i = 0; i < BISECTION_STEPS; i++) {
		double middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			break;
		if (beta_regularised(a, b, middle) < probability)
			low = middle;
		else
			high = middle;
	}
	return low + (high - low) / 2;
}

void secoc_interval(uint64_t k, uint64_t n, double confidence, double *ret_low, double *ret_high)
{
	double tail = (1 - confidence) / 2;

	*ret_low = n == 0 || k == 0 ? 0 : beta_quantile((double)k, (double)(n - k) + 1, tail);
	*ret_high = n == 0 || k >= n ? 1 : beta_quantile((double)k + 1, (double)(n - k), 1 - tail);
}
