/* Checksums: reference values, and that pieces give the same as the whole. */
#include <string.h>

#include "common/base/checksum.h"
#include "tests/support/test.h"

static void crc32c_is_that_of_rfc_3720(void **state)
{
    unsigned char bytes[32];

    (void)state;
    assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof bytes); /* RFC 3720, B.4 */
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(checksum_crc32c(0, bytes, 32), 0x46dd794e);
}

static void crc64_is_that_of_xz(void **state)
{
    (void)state;
    assert_true(checksum_crc64(0, "123456789", 9) == UINT64_C(0x995dc9bbdf1939fa));
}

static void nothing_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(checksum_crc32c(0, NULL, 0), 0);
    assert_int_equal(checksum_crc32c(17, "", 0), 17);
    assert_true(checksum_crc64(17, NULL, 0) == 17);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
    unsigned char bytes[1000];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 13);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t crc32c = checksum_crc32c(0, bytes, cut);
        uint64_t crc64 = checksum_crc64(0, bytes, cut);
        assert_int_equal(checksum_crc32c(crc32c, bytes + cut, sizeof bytes - cut),
                         checksum_crc32c(0, bytes, sizeof bytes));
        assert_true(checksum_crc64(crc64, bytes + cut, sizeof bytes - cut) == checksum_crc64(0, bytes, sizeof bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_is_that_of_rfc_3720),
        cmocka_unit_test(crc64_is_that_of_xz),
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(pieces_give_the_same_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
