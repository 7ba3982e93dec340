int colony_kernels_placeholder(void);
int colony_kernels_placeholder(void) { return 0; }
