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
_SQL = """
add after all alter analyze and any array as asc authorization auto_increment autoincrement avg before begin bigint
bigserial binary bit blob boolean both by bytea cascade case cast char character check clob coalesce collate column
comment commit concurrently constraint count create cross current current_date current_time current_timestamp cursor
cycle database date datetime day dec decimal declare default deferrable deferred definer delete delimiter desc distinct
do domain double drop each else end enum escape except exception execute exists explain extension extract false fetch
first float following for foreign from full function go grant group having hour identity if ignore ilike immediate
immutable in index inherits initially inner inout insert int integer intersect interval into invoker is isolation join
json jsonb key language last lateral leading left like limit lock longtext loop lower materialized max mediumint
mediumtext merge min minute modify month natural new next no not nothing now null nullif numeric of offset old on only
open or order others out outer over overlaps owned owner partition plpgsql preceding precision primary privileges
procedure public raise range real recursive references rename repeatable replace restrict return returning returns
revoke right role rollback row rows schema second security select sequence serial session set setof similar smallint
some sql stable start statement storage strict substring sum table tablespace temp temporary text then time timestamp
timestamptz tinyint to trailing transaction trigger trim true truncate type unbounded union unique unsigned update upper
user using uuid vacuum values varchar varchar2 varying view volatile when where while window with without work write
year zone operator class family parallel safe unsafe use usage template dictionary configuration parser internal int2
int4 int8 float4 float8 oid regclass echo quit load
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
    "csharp": """
abstract as async await base bool break byte case catch char checked class const continue decimal default delegate do
double dynamic else enum event explicit extern false file finally fixed float for foreach from get global goto group if
implicit in init int interface internal into is join let lock long managed namespace nameof new not notnull null object
operator or orderby out override params partial private protected public readonly record ref remove required return
sbyte scoped sealed select set short sizeof stackalloc static string struct switch this throw true try typeof uint ulong
unchecked unmanaged unsafe ushort using value var virtual void volatile when where while with yield add and nint
System Collections Generic Linq Text Threading Tasks Task String Object Int32 Boolean List Dictionary IEnumerable IList
HashSet Func Action Exception ArgumentException ArgumentNullException Console WriteLine ToString Equals GetHashCode
Count Length Add Remove Contains ContainsKey Select Where First FirstOrDefault Any All ToList ToArray Math Dispose
""",
    "kotlin": """
abstract actual annotation as break by catch class companion const constructor continue crossinline data delegate do
dynamic else enum expect external false field file final finally for fun get if import in infix init inline inner
interface internal is it lateinit noinline null object open operator out override package param private property
protected public receiver reified return sealed set setparam super suspend tailrec this throw true try typealias typeof
val value var vararg when where while lazy let also apply run with listOf mapOf setOf mutableListOf mutableMapOf
emptyList arrayOf println print require requireNotNull check error String Int Long Double Float Boolean Unit Any
Nothing Char Byte Short Array List MutableList Map MutableMap Set Pair Exception map filter forEach first firstOrNull
any all toString equals hashCode size isEmpty isNotEmpty contains add put joinToString kotlin java util
""",
    "scala": """
abstract case catch class def derives do else end enum export extends extension false final finally for forSome given
if implicit import inline lazy macro match new null object opaque open override package private protected return sealed
super
then this throw trait transparent true try type using val var while with yield String Int Long Double Float Boolean Unit
Any AnyRef AnyVal Nothing Char Byte Short Array List Seq Map Set Vector Option Some None Either Left Right Try Success
Failure Future Iterator map flatMap filter foreach foldLeft collect head tail isEmpty nonEmpty size toString toList
getOrElse mkString println print scala java util equals hashCode apply unapply sum distinct Exception
""",
    "swift": """
actor any as associatedtype async await borrowing break case catch class consuming continue convenience default defer
deinit didSet do dynamic else enum extension fallthrough false fileprivate final for func get guard if import in
indirect infix init inout internal is isolated lazy let mutating nil nonisolated nonmutating open operator optional
override postfix precedencegroup prefix private protocol public repeat required rethrows return self set some static
struct subscript super switch throw throws true try typealias unowned var weak where while willSet Any AnyObject Type
Protocol String Int Double Float Bool Character Array Dictionary Set Optional Result Void Error Codable Equatable
Hashable Comparable Identifiable map filter reduce forEach append count isEmpty first last contains print
fatalError min max description objc available discardableResult escaping MainActor Foundation
""",
    "ruby": """
BEGIN END alias and begin break case class def defined do else elsif end ensure false for if in module next nil not or
redo rescue retry return self super then true undef unless until when while yield attr_reader attr_writer attr_accessor
include extend prepend require require_relative private protected public module_function private_constant raise lambda
proc puts print format loop new freeze each map select reject find inject reduce push pop shift unshift first last
length size empty any all none include key keys values merge dup to_s to_i to_sym to_a to_h inspect join split sub gsub
strip nil is_a kind_of respond_to send call initialize instance_of class name min max sum sort sort_by
String Integer Float Array Hash Symbol Object Class Module Struct Set Time Date File Dir IO Kernel Proc Comparable
Enumerable StandardError ArgumentError RuntimeError ENV ARGV
""",
    "php": """
abstract and array as bool break callable case catch class clone const continue declare default die do echo else elseif
empty enddeclare endfor endforeach endif endswitch endwhile enum eval exit extends false final finally float fn for
foreach from function global goto if implements include include_once instanceof insteadof int interface isset iterable
list match mixed namespace never new null object or parent print private protected public readonly require require_once
return self static string strict_types switch throw trait true try unset use var void while xor yield php define defined
count strlen strpos substr str_replace explode implode sprintf printf in_array array_map array_filter array_merge
array_keys array_values is_array is_string is_null preg_match preg_replace json_encode json_decode getenv min max
Exception InvalidArgumentException RuntimeException Throwable Closure DateTime stdClass
""",
    "shell": """
alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown do done
echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs kill
let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source suspend
test then time times trap true type typeset ulimit umask unalias unset until wait while
awk basename cat chmod chown cp curl cut date dirname du env find grep head id install ln ls mkdir mktemp mv ps rm rmdir
sed sleep sort stat sudo tail tar tee touch tr uname uniq wc which xargs dev/null
HOME IFS OPTARG OPTIND PATH PWD RANDOM SHELL TERM TMPDIR UID USER BASH_SOURCE BASH_VERSION LC_ALL LANG
""",
    "sql": _SQL + _SQL.upper(),
    "elixir": """
after alias and case catch cond def defdelegate defexception defguard defguardp defimpl defmacro defmacrop defmodule
defoverridable defp defprotocol defstruct do else end false fn for if import in nil not or quote raise receive require
rescue super true try unless unquote use when with moduledoc doc spec type typep opaque impl behaviour callback
Enum Map List String Integer Keyword Stream GenServer Agent Task Process Kernel Logger System get_env
is_nil is_atom is_binary is_integer is_list is_map length hd tl elem put_in get_in min max to_string inspect
map filter reduce each into split join ok error t
""",
    "lua": """
and break do else elseif end false for function goto if in local nil not or repeat return then true until while
assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall print rawequal rawget rawlen
rawset require select setmetatable tonumber tostring type unpack xpcall coroutine debug io math os package string table
utf8 __index __newindex __call __tostring __len __eq __gc __mode _G _ENV _VERSION arg self
insert remove concat sort format gsub gmatch match find rep sub byte char lower upper floor ceil min max huge random
getenv open close read write lines
""",
    "terraform": """
variable locals data resource module output provider terraform var local each self count for_each depends_on lifecycle
source version type description default value sensitive required_version required_providers backend for in if true
false null string number bool list map set object any tuple key path root cwd
abs ceil coalesce concat contains element file flatten format join jsondecode jsonencode keys length lookup lower max
merge min replace split templatefile toset tolist tomap tostring try upper values
id arn name tags public_ip private_ip endpoint
""",
    # What is left of a style sheet once its declarations are read as text: at-rules, functions.
    "css": """
charset font-face import keyframes layer media namespace page supports container property and not only or from to var
url calc rgb rgba hsl hsla attr min max clamp linear gradient repeat minmax translate rotate scale important screen
print all
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
