# `cmake --install`: the command line tool, the public headers, and two targets for users, found by
# find_package(headway): headway::headway, the C++ and C API as static libraries (the folders' libraries are installed
# beside it as its private parts), and headway::shared, the C API alone as libheadway.so.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Every headway_<folder> library that `target` links, itself included.
function(headway_parts target out)
  set(found ${${out}})
  list(APPEND found ${target})
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" link "${link}")
    if(link MATCHES "^headway_" AND NOT link IN_LIST found)
      set(parts ${found})
      headway_parts(${link} parts)
      set(found ${parts})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

add_library(headway INTERFACE)
add_library(headway::headway ALIAS headway)
target_link_libraries(headway INTERFACE headway_c_api)
target_compile_features(headway INTERFACE cxx_std_20)
target_include_directories(headway INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# HEADWAY_ABI is what programs that were linked with the library look for.
file(STRINGS ${PROJECT_SOURCE_DIR}/include/headway/headway.h abi REGEX "^#define HEADWAY_ABI [0-9]+")
string(REGEX REPLACE "^#define HEADWAY_ABI ([0-9]+).*" "\\1" abi "${abi}")
if(NOT abi MATCHES "^[0-9]+$")
  message(FATAL_ERROR "include/headway/headway.h: expected '#define HEADWAY_ABI' with a number, found '${abi}'")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/headway/headway.h)

# Exports what headway/headway.h declares and nothing else. Not with sanitizers, whose runtimes belong into the program.
set(shared)
if(NOT HEADWAY_SANITIZE)
  set(shared headway_shared)
  add_library(headway_shared SHARED $<TARGET_OBJECTS:headway_c_api>)
  add_library(headway::shared ALIAS headway_shared)
  set_target_properties(headway_shared PROPERTIES OUTPUT_NAME headway EXPORT_NAME shared LINKER_LANGUAGE CXX
                        VERSION ${PROJECT_VERSION} SOVERSION ${abi})
  target_link_libraries(headway_shared PRIVATE $<BUILD_INTERFACE:headway_pack> $<BUILD_INTERFACE:headway_gates>)
  target_include_directories(headway_shared INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(NOT APPLE)
    target_link_options(headway_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
    set_target_properties(headway_shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  endif()
endif()

set(parts)
headway_parts(headway_c_api parts)
install(TARGETS headway ${parts} EXPORT headwayTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/headway)
if(shared)
  install(TARGETS ${shared} EXPORT headwayTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/headway DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/headway)
install(EXPORT headwayTargets NAMESPACE headway:: DESTINATION ${package_directory})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/headwayConfig.cmake.in headwayConfig.cmake
                              INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(headwayConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headwayConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/headwayConfigVersion.cmake
        DESTINATION ${package_directory})
