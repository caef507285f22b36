/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 of IEEE 802.3, reflected, eight bytes at a time. The remainder of a byte that is followed by k others is the sum of
 * the remainders of its bits, so eight numbers a position are enough for the compiler to make a table of 256.
 */
#include "swpg.h"

#define BLOCK 8u

/* x^n modulo the polynomial for the bits of a byte (lowest first) with k bytes behind it. */
#define BITS_0(i) BITS(i, 0x77073096u, 0xEE0E612Cu, 0x076DC419u, 0x0EDB8832u, 0x1DB71064u, 0x3B6E20C8u, 0x76DC4190u, 0xEDB88320u)
#define BITS_1(i) BITS(i, 0x191B3141u, 0x32366282u, 0x646CC504u, 0xC8D98A08u, 0x4AC21251u, 0x958424A2u, 0xF0794F05u, 0x3B83984Bu)
#define BITS_2(i) BITS(i, 0x01C26A37u, 0x0384D46Eu, 0x0709A8DCu, 0x0E1351B8u, 0x1C26A370u, 0x384D46E0u, 0x709A8DC0u, 0xE1351B80u)
#define BITS_3(i) BITS(i, 0xB8BC6765u, 0xAA09C88Bu, 0x8F629757u, 0xC5B428EFu, 0x5019579Fu, 0xA032AF3Eu, 0x9B14583Du, 0xED59B63Bu)
#define BITS_4(i) BITS(i, 0x3D6029B0u, 0x7AC05360u, 0xF580A6C0u, 0x30704BC1u, 0x60E09782u, 0xC1C12F04u, 0x58F35849u, 0xB1E6B092u)
#define BITS_5(i) BITS(i, 0xCB5CD3A5u, 0x4DC8A10Bu, 0x9B914216u, 0xEC53826Du, 0x03D6029Bu, 0x07AC0536u, 0x0F580A6Cu, 0x1EB014D8u)
#define BITS_6(i) BITS(i, 0xA6770BB4u, 0x979F1129u, 0xF44F2413u, 0x33EF4E67u, 0x67DE9CCEu, 0xCFBD399Cu, 0x440B7579u, 0x8816EAF2u)
#define BITS_7(i) BITS(i, 0xCCAA009Eu, 0x4225077Du, 0x844A0EFAu, 0xD3E51BB5u, 0x7CBB312Bu, 0xF9766256u, 0x299DC2EDu, 0x533B85DAu)

#define BIT(i, n, value) (((i) >> (n) & 1u) * (value))
#define BITS(i, a, b, c, d, e, f, g, h)                                                                                                    \
	BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ BIT(i, 7, h)
#define ROW_4(bits, i)  bits(i), bits(i + 1u), bits(i + 2u), bits(i + 3u)
#define ROW_16(bits, i) ROW_4(bits, i), ROW_4(bits, i + 4u), ROW_4(bits, i + 8u), ROW_4(bits, i + 12u)
#define ROW_64(bits, i) ROW_16(bits, i), ROW_16(bits, i + 16u), ROW_16(bits, i + 32u), ROW_16(bits, i + 48u)
#define TABLE(bits)     {ROW_64(bits, 0u), ROW_64(bits, 64u), ROW_64(bits, 128u), ROW_64(bits, 192u)}

static const uint32_t tables[BLOCK][256] = {
        TABLE(BITS_0), TABLE(BITS_1), TABLE(BITS_2), TABLE(BITS_3), TABLE(BITS_4), TABLE(BITS_5), TABLE(BITS_6), TABLE(BITS_7),
};

static uint32_t load_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t block(uint32_t first, uint32_t second)
{
	return tables[7][first & 0xFF] ^ tables[6][first >> 8 & 0xFF] ^ tables[5][first >> 16 & 0xFF] ^ tables[4][first >> 24] ^
	       tables[3][second & 0xFF] ^ tables[2][second >> 8 & 0xFF] ^ tables[1][second >> 16 & 0xFF] ^ tables[0][second >> 24];
}

uint32_t swpg_crc32(uint32_t crc, const uint8_t *data, size_t length)
{
	crc = ~crc;
	for (; length >= BLOCK; length -= BLOCK, data += BLOCK)
		crc = block(crc ^ load_u32(data), load_u32(data + 4));
	for (; length > 0; length--, data++)
		crc = crc >> 8 ^ tables[0][(crc ^ *data) & 0xFF];
	return ~crc;
}
