// A libcuda.so.1 with the calls that launch a kernel. It runs nothing: it writes down what it was given. As in the real
// one, a thread has no context until it is given one, and without it neither kernel nor launch.
#include <cstdint>
#include <cstring>

extern "C" {
struct Record {
    uint64_t function, stream, grid, block, args[7];
    char name[64];
} record;

thread_local void* current;

int cuCtxGetDevice(int* device) { return *device = (int)((uint64_t)current - 0x100), current ? 0 : 201; }
int cuCtxSetCurrent(void* context) { return current = context, 0; }
int cuDevicePrimaryCtxRetain(void** context, int device) { return *context = (void*)(0x100ull + device), 0; }
int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuLibraryLoadData(void** library, const void* code, void*, void*, unsigned, void*, void*, unsigned) {
    *library = (void*)0x11;
    return memcmp(code, "\177ELF", 4) ? 200 : 0;
}
int cuLibraryGetKernel(void** kernel, void* library, const char* name) {
    strncpy(record.name, name, 63);
    *kernel = (void*)0x22;
    return library == (void*)0x11 ? 0 : 400;
}
int cuKernelGetFunction(void** function, void* kernel) {
    *function = (void*)0x33;
    if (!current) return 201;
    return kernel == (void*)0x22 ? 0 : 400;
}
int cuLaunchKernel(void* function, unsigned grid, unsigned, unsigned, unsigned block, unsigned, unsigned, unsigned,
                   void* stream, void** params, void** extra) {
    record.function = (uint64_t)function, record.stream = (uint64_t)stream;
    record.grid = grid, record.block = block;
    for (int i = 0; i < 7; ++i) memcpy(&record.args[i], params[i], 8);
    if (current != (void*)0x100) return 201;
    return extra || grid == 13 ? 1 : 0;
}
int cuGetProcAddress_v2(const char* name, void** address, int, uint64_t, void* status) {
    const struct { const char* name; void* address; } known[] = {
        {"cuCtxGetDevice", (void*)cuCtxGetDevice},
        {"cuCtxSetCurrent", (void*)cuCtxSetCurrent},
        {"cuDevicePrimaryCtxRetain", (void*)cuDevicePrimaryCtxRetain},
        {"cuInit", (void*)cuInit},
        {"cuDriverGetVersion", (void*)cuDriverGetVersion},
        {"cuLibraryLoadData", (void*)cuLibraryLoadData},
        {"cuLibraryGetKernel", (void*)cuLibraryGetKernel},
        {"cuKernelGetFunction", (void*)cuKernelGetFunction},
        {"cuLaunchKernel", (void*)cuLaunchKernel},
    };
    *address = nullptr;
    for (const auto& entry : known)
        if (!strcmp(name, entry.name)) *address = entry.address;
    if (status) *(int*)status = *address ? 0 : 1;
    return *address ? 0 : 500;
}
int cuGetProcAddress(const char* name, void** address, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, address, version, flags, nullptr);
}
}
