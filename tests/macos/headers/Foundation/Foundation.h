#pragma once

// As much of Foundation as src/device/coreml/apple and the stand-in's CoreML.h name, with the names,
// types and nullability that Apple documents for macOS 15, written by us: tools/parse_for_macos.py
// parses the runner with it for Apple's own runtime, 64-bit integers and property rules, which
// GNUstep's old runtime does not have. Source: developer.apple.com/documentation/foundation.

#define NS_ENUM(type, name) \
  enum name : type name;    \
  enum name : type

typedef bool BOOL;  // as on Apple's 64-bit Arm
typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef struct objc_selector* SEL;
typedef struct _NSZone NSZone;

#define YES __objc_yes
#define NO __objc_no
#define nil nullptr

#pragma clang assume_nonnull begin

@class NSString, NSDictionary<KeyType, ObjectType>, NSArray<ObjectType>;

@protocol NSObject
- (BOOL)isKindOfClass:(Class)type;
- (BOOL)respondsToSelector:(SEL)selector;
- (instancetype)retain;
- (oneway void)release;
- (instancetype)autorelease;
@end

@protocol NSCopying
@end

__attribute__((objc_root_class))
@interface NSObject<NSObject>
+ (instancetype)alloc;
+ (instancetype)new;
- (instancetype)init;
- (Class)class;
- (void)dealloc;
@end

typedef struct {
  unsigned long state;
  id __unsafe_unretained _Nullable* _Nullable itemsPtr;
  unsigned long* _Nullable mutationsPtr;
  unsigned long extra[5];
} NSFastEnumerationState;

@protocol NSFastEnumeration
- (NSUInteger)countByEnumeratingWithState:(NSFastEnumerationState*)state
                                  objects:(id __unsafe_unretained _Nullable[_Nonnull])buffer
                                    count:(NSUInteger)length;
@end

@interface NSString : NSObject <NSCopying>
@property(readonly, nullable) const char* UTF8String;
+ (nullable instancetype)stringWithUTF8String:(const char*)text;
- (BOOL)isEqualToString:(NSString*)other;
@end

@interface NSSimpleCString : NSString
@end
@interface NSConstantString : NSSimpleCString
@end

@interface NSNumber : NSObject <NSCopying>
@property(readonly) long long longLongValue;
@property(readonly) NSInteger integerValue;
+ (NSNumber*)numberWithLongLong:(long long)value;
@end

@interface NSArray<__covariant ObjectType> : NSObject <NSFastEnumeration>
@property(readonly) NSUInteger count;
- (ObjectType)objectAtIndex:(NSUInteger)index;
@end

@interface NSMutableArray<ObjectType> : NSArray <ObjectType>
+ (instancetype)arrayWithCapacity:(NSUInteger)capacity;
- (void)addObject:(ObjectType)object;
@end

@interface NSSet<__covariant ObjectType> : NSObject <NSFastEnumeration>
@property(readonly) NSUInteger count;
@end

@interface NSDictionary<__covariant KeyType, __covariant ObjectType> : NSObject <NSFastEnumeration>
@property(readonly) NSUInteger count;
- (nullable ObjectType)objectForKey:(KeyType)key;
@end

@interface NSMutableDictionary<KeyType, ObjectType> : NSDictionary <KeyType, ObjectType>
+ (instancetype)dictionary;
- (void)setObject:(ObjectType)object forKey:(KeyType<NSCopying>)key;
@end

@interface NSURL : NSObject
@property(readonly, nullable) NSString* path;
+ (NSURL*)fileURLWithPath:(NSString*)path;
@end

@interface NSError : NSObject
@property(readonly) NSInteger code;
@property(readonly) NSString* domain;
@property(readonly) NSString* localizedDescription;
@property(readonly) NSDictionary<NSString*, id>* userInfo;
@end

@interface NSException : NSObject
@property(readonly) NSString* name;
@property(readonly, nullable) NSString* reason;
@end

@interface NSProcessInfo : NSObject
@property(class, readonly) NSProcessInfo* processInfo;
@property(readonly) NSString* operatingSystemVersionString;
@end

typedef NS_ENUM(NSUInteger, NSSearchPathDirectory) { NSCachesDirectory = 13 };
typedef NS_ENUM(NSUInteger, NSSearchPathDomainMask) { NSUserDomainMask = 1 };

extern "C" {
extern NSString* const NSUnderlyingErrorKey;
NSString* NSStringFromClass(Class type);
NSArray<NSString*>* NSSearchPathForDirectoriesInDomains(NSSearchPathDirectory directory,
                                                        NSSearchPathDomainMask mask, BOOL expand);
}

#pragma clang assume_nonnull end
