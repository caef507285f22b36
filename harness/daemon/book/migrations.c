/* SPDX-License-Identifier: Apache-2.0 */
/* The list of migrations. What was released is never edited: a change is a new number here, in meson.build and in migrations/. */
#include "migrations.h" /* made of migrations/ by meson.build: migration_NNN */

#include "book_private.h"

const struct book_migration book_migrations[] = {
        {1, migration_001},
        {2, migration_002},
        {0, NULL},
};
