/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

/*
 * What each value rests on:
 *   burst         measured: a flasher's maker tells 479 kB/s for TC3xx, 256 bytes every 530 us          high
 *   page          a burst programs 8 pages at once; alone a page has its own overhead: an eighth, doubled  low
 *   data page     as a page: 8 bytes, one row of cells                                                    low
 *   erase         data sheet's bound, from memory: a command of up to 512 KiB (32 sectors) takes at most
 *                 0.5 s; shared out as 190 ms and 10 ms for each further sector, so that 32 take 0.5 s   medium
 *   data erase    not found; the same shape, a quarter of the sector's size                               low
 *   UCB erase     not found; one DFLASH sector                                                            low
 */
const struct flash_cost flash_cost_tc375 = {
        .burst_ns = 530 * US,
        .page_ns = 132 * US,
        .data_page_ns = 132 * US,
        .erase_ns = 190 * MS,
        .erase_sector_ns = 10 * MS,
        .data_erase_ns = 100 * MS,
        .data_erase_sector_ns = 3 * MS,
        .ucb_erase_ns = 100 * MS,
};
