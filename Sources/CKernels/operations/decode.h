// Stored weights to f32, each exactly (included once per format: FORMAT is bf16, f16 or f32, WEIGHT_BYTES 2 or 4).
#pragma STDC FP_CONTRACT OFF

KERNEL static void JOIN(decode_, FORMAT)(const void *source, float *output, size_t count) {
    const unsigned char *bytes = source;
    size_t i = 0;
    for (; i + COLONY_LANES <= count; i += COLONY_LANES) {
        lanes_store(output + i, JOIN(lanes_load_, FORMAT)(bytes + i * WEIGHT_BYTES));
    }
    if (i == count) return;
    unsigned char rest[COLONY_LANES * WEIGHT_BYTES];
    for (size_t j = 0; j < sizeof rest; j++) rest[j] = j < (count - i) * WEIGHT_BYTES ? bytes[i * WEIGHT_BYTES + j] : 0;
    lanes_store_some(output + i, JOIN(lanes_load_, FORMAT)(rest), count - i);
}
