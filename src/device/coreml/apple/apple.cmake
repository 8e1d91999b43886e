# The files that hand programs to Core ML: Objective-C++ without ARC (docs/mac.md). On a Mac they are part of the device;
# elsewhere tests compile them, unchanged, against a framework of ours (tests/apple).
set(HEADWAY_APPLE_SOURCES)
foreach(name native coreml_runner coreml_states compiled_model compute_plan foundation model_interface multi_array)
  list(APPEND HEADWAY_APPLE_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}.mm)
endforeach()

function(headway_apple_sources target)
  target_sources(${target} PRIVATE ${HEADWAY_APPLE_SOURCES})
  set_source_files_properties(${HEADWAY_APPLE_SOURCES} PROPERTIES
    COMPILE_OPTIONS "-fno-objc-arc;-fblocks;-fobjc-exceptions" SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(${target} PUBLIC "-framework CoreML" "-framework Foundation")
endfunction()
