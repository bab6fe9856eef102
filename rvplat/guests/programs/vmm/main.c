/* vmm boot ... boots a guest of KVM, and vmm check checks KVM itself. */
#include "vmm.h"

#include <string.h>

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 1024);
    if (count >= 2 && strcmp(words[1], "boot") == 0) return boot(count - 2, words + 2);
    if (count >= 2 && strcmp(words[1], "check") == 0) return check(words + 2);
    die("vmm boot KERNEL INITRD VCPUS MEGABYTES COMMAND-LINE, or vmm check [NAME...]");
}
