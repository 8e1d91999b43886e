# One CMake target per folder below src/, so that the linker sees the layers too (docs/ARCHITECTURE.md).
#
#   headway_module(<folder> [FLAT] [SEPARATE] [HOT] [FUZZED] [OPTIMISED_TESTS] [DEPS <folder>...]
#                  [LIBS <library>...] [TEST_DEPS <folder>...])
#
# builds src/<folder>/**.cc as the static library headway_<folder>, and src/<folder>/**_test.cc with
# **_fixture.cc as the test program <folder>_test. Files are found by name: a new file needs no line here.
# FLAT takes the files of the folder itself only: folders below it are modules of their own.
#
# Sources are compiled in batches (the presets set CMAKE_UNITY_BUILD): of what a single file makes the compiler
# read, 2 % is the file. SEPARATE compiles one by one, for the kernels, whose files open instruction sets.
# HOT is optimised in the sanitizer build too: where its tests spend their time. The rest is not, which halves what it
# takes to compile.
# FUZZED counts the fuzzers' coverage in all of the folder, headway_fuzzed_files() in single files: where bytes from
# outside are read. Counting everywhere would make the sanitizer build's tests four times as slow.
# OPTIMISED_TESTS: tests of code that the optimiser could get wrong; built in the release build too, where all
# other unit tests are left to the sanitizer build (HEADWAY_TESTS=optimised, docs/development.md).
include(cmake/HeadwayTest.cmake)

function(headway_module folder)
  cmake_parse_arguments(M "FLAT;SEPARATE;HOT;FUZZED;OPTIMISED_TESTS" "" "DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(glob GLOB_RECURSE)
  if(M_FLAT)
    set(glob GLOB)
  endif()
  file(${glob} sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fixture)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_(test|fixture)\\.cc$")
  if(sources)
    add_library(headway_${name} STATIC ${sources})
    set_target_properties(headway_${name} PROPERTIES UNITY_BUILD_BATCH_SIZE 12)
    if(M_SEPARATE)
      set_target_properties(headway_${name} PROPERTIES UNITY_BUILD OFF)
    endif()
    if(M_HOT)
      target_compile_options(headway_${name} PRIVATE $<$<CONFIG:Debug>:-O2>)
    endif()
    if(M_FUZZED AND HEADWAY_FUZZ)
      target_compile_options(headway_${name} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    set(scope PUBLIC)
  else()
    add_library(headway_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(headway_${name} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                             $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  if(scope STREQUAL PUBLIC)
    target_link_libraries(headway_${name} PRIVATE $<BUILD_INTERFACE:headway_flags>)
  endif()
  list(TRANSFORM M_DEPS REPLACE "/" "_")
  list(TRANSFORM M_DEPS PREPEND headway_)
  target_link_libraries(headway_${name} ${scope} ${M_DEPS} ${M_LIBS})
  if(tests AND (HEADWAY_TESTS STREQUAL "all" OR (HEADWAY_TESTS AND M_OPTIMISED_TESTS)))
    list(TRANSFORM M_TEST_DEPS REPLACE "/" "_")
    list(TRANSFORM M_TEST_DEPS PREPEND headway_)
    headway_test(${name}_test SOURCES ${tests} LIBS headway_${name} ${M_TEST_DEPS} ${M_TEST_LIBS})
    if(M_HOT)
      target_compile_options(${name}_test PRIVATE $<$<CONFIG:Debug>:-O2>)
    endif()
  endif()
endfunction()

# Paths relative to the directory whose CMakeLists.txt calls.
function(headway_fuzzed_files)
  if(HEADWAY_FUZZ)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fsanitize=fuzzer-no-link
                                                   SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()
