int colony_linux_placeholder(void);
int colony_linux_placeholder(void) { return 0; }
