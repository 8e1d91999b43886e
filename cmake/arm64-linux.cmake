# Cross-compiles for 64-bit Arm on Debian: g++-aarch64-linux-gnu, libraries unpacked by tools/arm64/libraries.sh, programs
# run by qemu-user (preset "arm64", docs/development.md).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

get_filename_component(libraries ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-libraries/root ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${libraries} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # protoc is this machine's
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/usr/lib/aarch64-linux-gnu/pkgconfig:${libraries}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${libraries})
set(CMAKE_CXX_FLAGS_INIT "-isystem ${libraries}/usr/include -isystem ${libraries}/usr/include/aarch64-linux-gnu")

# Libraries of libraries, when linking and when running: an RPATH holds for both, a RUNPATH for direct ones only.
set(folders ${libraries}/usr/lib/aarch64-linux-gnu ${libraries}/lib/aarch64-linux-gnu)
foreach(folder IN LISTS folders)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath-link,${folder}")
endforeach()
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,--disable-new-dtags")
set(CMAKE_BUILD_RPATH ${folders})

set(HEADWAY_ARM64_CPU max CACHE STRING "the processor that qemu-user plays: max, cortex-a72, cortex-a76, ...")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu ${HEADWAY_ARM64_CPU} -L /usr/aarch64-linux-gnu)
