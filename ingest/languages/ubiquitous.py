"""Words that a chunk of code never mentions as names: keywords, built-ins, and the methods of built-in types."""

from __future__ import annotations

import builtins
import keyword
from functools import cache

_RECEIVERS = frozenset({"self", "cls", "this", "super", "Self", "crate", "std", "$"})

_C = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false NULL
size_t ssize_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t intptr_t include define ifdef
ifndef endif elif undef pragma defined printf fprintf sprintf snprintf malloc calloc realloc free memcpy memset memmove
memcmp strlen strcmp strncmp strcpy strncpy strcat strchr strdup assert stdin stdout stderr FILE errno
"""
_SCRIPT = """
abstract any as async await boolean break case catch class const constructor continue debugger declare default delete do
else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof
let module namespace never new null number object of package private protected public readonly require return set static
string super switch symbol this throw true try type typeof undefined unknown var void while with yield arguments console
log error warn Array Object String Number Boolean Promise Map Set Date Math JSON Error RegExp Symbol length push pop
shift unshift slice splice concat join split map filter reduce forEach find some every includes indexOf keys values
entries then catch finally toString parse stringify prototype call apply bind document window exports NaN Infinity
Record Partial Readonly Pick Omit Required
"""
_BY_LANGUAGE = {
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "c": _C,
    "cpp": _C
    + """
alignas alignof and asm catch class concept const_cast consteval constexpr constinit co_await co_return co_yield
decltype delete dynamic_cast explicit export final friend mutable namespace new noexcept not nullptr operator or
override private
protected public reinterpret_cast requires static_assert static_cast template this throw try typeid typename using
virtual wchar_t std string vector map set pair tuple unique_ptr shared_ptr make_unique make_shared move forward cout
cerr endl begin end size push_back emplace_back empty insert erase find first second c_str string_view optional
""",
    "go": """
any append bool break byte cap case chan close complex const continue copy default defer delete else error fallthrough
false float32 float64 for func goto if import int int16 int32 int64 int8 interface iota len make map new nil package
panic print println range recover return rune select string struct switch true type uint uint16 uint32 uint64 uint8 var
err ctx Error String fmt Println Printf Sprintf Errorf
""",
    "rust": """
Self abstract as async await bool box break char const continue crate dyn else enum extern false final fn for if impl in
let loop macro match mod move mut override priv pub ref return self static str struct super trait true try type typeof
unsafe unsized use usize isize u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 virtual where while yield std core alloc
String Vec Option Some None Result Ok Err Box Rc Arc HashMap HashSet unwrap expect clone iter into_iter map collect push
len is_empty to_string to_owned into from new default as_str as_ref as_mut borrow borrow_mut println eprintln format vec
assert assert_eq panic derive Debug Clone Copy Default PartialEq Eq Hash cfg test inline allow
""",
    "java": """
abstract assert boolean break byte case catch char class const continue default do double else enum extends final
finally float for goto if implements import instanceof int interface long native new package permits private protected
public
record return sealed short static strictfp super switch synchronized this throw throws transient try var void volatile
while yield true false null String Object Integer Long Double Boolean List Map Set ArrayList HashMap HashSet Override
System out println equals hashCode toString get set put add size isEmpty length stream collect java util Exception
""",
}


@cache
def ubiquitous(language: str) -> frozenset[str]:
    """Return the words of a language that say nothing about the program."""
    if language == "python":
        types = (str, bytes, list, dict, set, tuple, int, float)
        methods = {name for each in types for name in dir(each)}
        return _RECEIVERS | {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *methods, "args", "kwargs", "typing"}
    return _RECEIVERS | frozenset(_BY_LANGUAGE.get(language, "").split())


def is_receiver(word: str) -> bool:
    """True for the words by which code speaks of its own object or module."""
    return word in _RECEIVERS
