#pragma once

// macOS: the kernel's count of pages.
#include <stdint.h>

typedef unsigned int mach_msg_type_number_t;
typedef unsigned int host_t;
typedef int kern_return_t;
typedef int* host_info64_t;
typedef struct {
  unsigned int free_count;
  unsigned int active_count;
  unsigned int inactive_count;
  unsigned int wire_count;
  unsigned int purgeable_count;
} vm_statistics64_data_t;

#define KERN_SUCCESS 0
#define HOST_VM_INFO64 4
#define HOST_VM_INFO64_COUNT \
  ((mach_msg_type_number_t)(sizeof(vm_statistics64_data_t) / sizeof(int)))

#ifdef __cplusplus
extern "C" {
#endif
extern uintptr_t vm_kernel_page_size;
host_t mach_host_self(void);
kern_return_t host_statistics64(host_t, int, host_info64_t, mach_msg_type_number_t*);
#ifdef __cplusplus
}
#endif
