"""Where things stand in the words (int64) that kernels read: the common ground of compiled code and its callers."""

from __future__ import annotations

# Kinds of values.
I8, I16, I32, I64, F32, F64, MISSING, OPAQUE = range(8)

# A column of a piece.
C_VALUES, C_KIND, C_VALIDITY, C_OFFSETS, C_DATA, C_ORDERED = range(6)
C_TREE, C_NEWER, C_COUNTS, C_SIZE, C_LANE, C_OLDER = range(6, 12)
COLUMN_WORDS = 12

# A piece: its head, then its columns.
(
    R_ROWS,
    R_ORD,
    R_SEQ,
    R_SEQ_KIND,
    R_BASE,
    R_MAX_SEQ,
    R_MEMBER,
    R_RANK,
    R_REQUEST,
    R_KEYS,
    R_BEGIN,
    R_END,
    R_VALID_ENDS,
) = range(13)
PIECE_WORDS = 16

# A table of keys: its head, then its levels.
K_KEYS, K_LEVELS, K_STARTS, K_SLOTS, K_MASK = range(5)
KEYS_WORDS = 6
L_VALUES, L_OFFSETS, L_DATA, L_VALIDITY = range(4)
LEVEL_WORDS = 4

# A program: its head, then tables at the word offsets that it says.
(
    P_WORDS,
    P_COLUMNS,
    P_MEMBERS,
    P_CONSTANTS,
    P_WINDOWS,
    P_WINDOWS_AT,
    P_COMPARES,
    P_COMPARES_AT,
    P_FOLDS,
    P_FOLDS_AT,
    P_CALLS,
    P_CALLS_AT,
    P_STATES,
) = range(13)
PROGRAM_WORDS = 16
W_ROWS, W_START, W_END, W_MAXSIZE, W_REQUEST = range(5)
WINDOW_WORDS = 8
Q_COLUMN, Q_OP, Q_CONSTANT, Q_LANE = range(4)
COMPARE_WORDS = 4
F_COLUMN, F_NEEDS, F_LANE, F_COMPARES, F_COMPARES_AT, F_WINDOWS, F_WINDOWS_AT, F_STATE = range(8)
FOLD_WORDS = 8
(
    A_OP,
    A_WINDOW,
    A_COLUMN,
    A_SECOND,
    A_N,
    A_Q,
    A_COMPARES,
    A_COMPARES_AT,
    A_STATE,
    A_LANE,
    A_SECOND_LANE,
    A_FOLD,
    A_NUMBER,
) = range(13)
CALL_WORDS = 14

# What a fold needs to know.
NEED_SUM, NEED_EXTREMES, NEED_SQUARES = 1, 2, 4

# A node of a tree, and the first words of a state. Lane f: sums and squares are the parts of exact sums. Lane i: sums
# are (low, high) in base 2**32, squares four digits of it.
N_COUNT, N_SUM, N_MIN, N_MAX, N_SQUARES, N_FLAGS = 0, 1, 4, 5, 6, 10
NODE_WORDS = 10
STATE_WORDS = 12
FLAGS_SHIFT = 48
# A sum or a sum of squares lost bits; a NaN, an infinity, any other value; squares that floats do not hold.
LOST_SUM, LOST_SQUARES, HAS_NAN, HAS_INFINITY, HAS_NUMBER, EXTREME = 1, 2, 4, 8, 16, 32

BLOCK_BITS = 6

# Why an anchor's results do not count.
OVERFLOW, NOT_FINITE, OUT_OF_RANGE = 1, 2, 4

# Where an anchor asks: order, cut, request row, then three words a member, then two a constant.
X_ORDER, X_CUT, X_ROW, X_MEMBERS = range(4)
M_UPTO_ORD, M_UPTO_SEQ, M_SINCE = range(3)
MEMBER_WORDS = 3

# Addresses of the areas that an evaluation works in; the first two words hold the growing buffer.
(
    S_BUFFER,
    S_BUFFER_WORDS,
    S_VISIBLE,
    S_CHECKED,
    S_WINDOWS,
    S_INCLUDED,
    S_CONSTANTS,
    S_POSITIONS,
    S_STATE,
    S_STATES,
    S_SUPER,
    S_CONTEXT,
    S_RANGES,
    S_AGAIN,
    S_CACHE,
    S_SLIDERS,
    S_SLIDER_TABLE,
) = range(17)
#: The last area is two words, of a buffer.
SCRATCH_WORDS = 18
# What is kept of a distinct count for the next anchor of the same key: piece + 1, begin, end, count.
CACHE_WORDS = 4
SUPER_WORDS = 80

# A batch.
(
    B_PROGRAM,
    B_PIECES,
    B_COUNT,
    B_ANCHORS,
    B_ORDER,
    B_CUT,
    B_CONSTANTS,
    B_RANGES,
    B_MEMBERS,
    B_VALUES,
    B_VALID,
    B_STATUS,
) = range(12)
BATCH_WORDS = 16

# A stage of a single request.
T_PROGRAM, T_PIECES, T_COUNT, T_CONTEXT, T_KEY, T_VALUES, T_VALID, T_STATUS, T_SCRATCH = range(9)
STAGE_WORDS = 12

OP_CODES = {
    name: number
    for number, name in enumerate(
        (
            "count_star",
            "count",
            "sum",
            "avg",
            "min",
            "max",
            "var_pop",
            "var_samp",
            "stddev_pop",
            "stddev_samp",
            "bool_and",
            "bool_or",
            "bit_and",
            "bit_or",
            "bit_xor",
            "first",
            "last",
            "any_value",
            "nth",
            "nth_newest",
            "row",
            "arg_min",
            "arg_max",
            "distinct",
            "median",
            "quantile_cont",
            "quantile_disc",
        )
    )
}
(
    COUNT_STAR,
    COUNT,
    SUM,
    AVG,
    MIN,
    MAX,
    VAR_POP,
    VAR_SAMP,
    STDDEV_POP,
    STDDEV_SAMP,
    BOOL_AND,
    BOOL_OR,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    FIRST,
    LAST,
    ANY_VALUE,
    NTH,
    NTH_NEWEST,
    ROW,
    ARG_MIN,
    ARG_MAX,
    DISTINCT,
    MEDIAN,
    QUANTILE_CONT,
    QUANTILE_DISC,
) = range(27)
COMPARE_CODES = {"eq": 0, "ne": 1, "lt": 2, "le": 3, "gt": 4, "ge": 5}
LANE_CODES = {"": 0, "i": 1, "f": 2, "s": 3, "o": 4, "p": 5}
