/* SPDX-License-Identifier: Apache-2.0 */
/* Charts of a measurement as inline SVG. */
#ifndef HARNESS_REPORT_CHART_H
#define HARNESS_REPORT_CHART_H

#include "measurement.h"
#include "text.h"

/* Histogram of the samples with lines for the limits, p50 and p95. Nothing without samples. */
void chart_put_histogram(struct text *, const struct report_measurement *);
/* The medians of the stages as one horizontal bar, with a legend. Nothing without stages. Sorts their values. */
void chart_put_stages(struct text *, struct report_measurement *);

#endif
