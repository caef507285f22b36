/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

int main(int argc, char **argv)
{
	port_posix_start(argc, argv);
	return application_main();
}
