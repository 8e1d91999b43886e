# One CMake target per folder below src/, so that the linker sees the layers too (docs/ARCHITECTURE.md).
#
#   headway_module(<folder> [DEPS <folder>...] [LIBS <library>...] [TEST_DEPS <folder>...])
#
# builds src/<folder>/**.cc as the object library headway_<folder> and src/<folder>/**_test.cc as the
# test program <folder>_test. Files are found by name: a new file needs no line here.
include(GoogleTest)

function(headway_module folder)
  cmake_parse_arguments(M "" "" "DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(headway_${name} STATIC ${sources})
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
  if(tests AND HEADWAY_TESTS)
    list(TRANSFORM M_TEST_DEPS REPLACE "/" "_")
    list(TRANSFORM M_TEST_DEPS PREPEND headway_)
    headway_test(${name}_test SOURCES ${tests} LIBS headway_${name} ${M_TEST_DEPS} ${M_TEST_LIBS})
  endif()
endfunction()

# A GoogleTest program whose cases ctest lists one by one. Cases whose suite name begins with Slow get
# the label "slow"; HEADWAY_SOURCE_DIR points the tests at models/ and testdata.
function(headway_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE headway_flags ${T_LIBS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE HEADWAY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             HEADWAY_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} TEST_FILTER "-Slow*:*/Slow*" DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 300 LABELS unit)
  gtest_discover_tests(${name} TEST_FILTER "Slow*:*/Slow*" TEST_LIST ${name}_slow DISCOVERY_MODE PRE_TEST
                       PROPERTIES TIMEOUT 1500 LABELS slow)
endfunction()

# A libFuzzer program, in <build>/fuzzers; exists with the preset "debug" only. The target "fuzzers" builds all of them.
function(headway_fuzzer name source)
  if(HEADWAY_FUZZ)
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
    target_link_libraries(${name} PRIVATE headway_flags ${ARGN})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
