# Objective-C++, for the files that hand programs to Core ML (src/device/coreml/apple). On a Mac they are part of the
# tool. Elsewhere tests compile them, unchanged, with clang and GNUstep against a Core ML of ours (tests/apple):
# HEADWAY_STANDIN says whether that is possible here.
set(HEADWAY_STANDIN OFF)
set(CMAKE_OBJCXX_STANDARD 20)
set(CMAKE_OBJCXX_STANDARD_REQUIRED ON)
set(CMAKE_OBJCXX_EXTENSIONS OFF)
set(CMAKE_OBJCXX_VISIBILITY_PRESET hidden)
if(APPLE)
  enable_language(OBJCXX)
elseif(HEADWAY_TESTS STREQUAL "all")
  find_program(HEADWAY_OBJCXX clang++-14)
  find_path(GNUSTEP_INCLUDE Foundation/Foundation.h PATHS /usr/include/GNUstep)
  file(GLOB objc_runtime_includes /usr/lib/gcc/*-linux-gnu/12/include)
  find_path(OBJC_RUNTIME_INCLUDE objc/objc.h PATHS ${objc_runtime_includes})
  find_path(BLOCKS_INCLUDE Block.h)
  find_library(GNUSTEP_BASE gnustep-base)
  find_library(BLOCKS_RUNTIME BlocksRuntime)
  set(missing "")
  foreach(found HEADWAY_OBJCXX GNUSTEP_INCLUDE OBJC_RUNTIME_INCLUDE BLOCKS_INCLUDE GNUSTEP_BASE BLOCKS_RUNTIME)
    if(NOT ${found})
      list(APPEND missing ${found})
    endif()
  endforeach()
  if(missing)
    message(STATUS "tests of Core ML's runner are left out: not found: ${missing}; on Debian 12: apt-get install "
                   "clang-14 libgnustep-base-dev libobjc-12-dev libblocksruntime-dev")
  else()
    set(CMAKE_OBJCXX_COMPILER ${HEADWAY_OBJCXX} CACHE FILEPATH "for tests of Core ML's runner")
    if(CCACHE)
      set(CMAKE_OBJCXX_COMPILER_LAUNCHER ${CCACHE})
    endif()
    enable_language(OBJCXX)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      set(CMAKE_OBJCXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
    endif()
    set(HEADWAY_STANDIN ON)
    # Foundation's headers and the runtime that Debian has: no ARC, no subscripts of collections.
    add_library(headway_gnustep INTERFACE)
    set(objc $<COMPILE_LANGUAGE:OBJCXX>)
    # Of gcc's own folder the runtime's headers alone: the others are clang's to bring.
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/objc_runtime)
    file(CREATE_LINK ${OBJC_RUNTIME_INCLUDE}/objc ${PROJECT_BINARY_DIR}/objc_runtime/objc SYMBOLIC)
    target_include_directories(headway_gnustep SYSTEM INTERFACE "$<${objc}:${GNUSTEP_INCLUDE};${PROJECT_BINARY_DIR}/objc_runtime>")
    target_compile_definitions(headway_gnustep INTERFACE
      "$<${objc}:GNUSTEP;GNUSTEP_BASE_LIBRARY=1;GNU_RUNTIME=1;_NATIVE_OBJC_EXCEPTIONS>")
    target_compile_options(headway_gnustep INTERFACE
      "$<${objc}:-fobjc-runtime=gcc;-fno-objc-arc;-fblocks;-fexceptions;-fobjc-exceptions>"
      "$<${objc}:-fconstant-string-class=NSConstantString>")
    # The blocks' runtime first: GNUstep brings a _Block_copy of its own, which takes a block that names another
    # library's stack class for one that need not be copied, and gives it back where it lies.
    target_link_libraries(headway_gnustep INTERFACE ${BLOCKS_RUNTIME} ${GNUSTEP_BASE} objc)
  endif()
endif()
