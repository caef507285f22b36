/* SPDX-License-Identifier: Apache-2.0 */
#include "book_private.h"
