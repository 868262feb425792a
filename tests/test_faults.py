"""What happens when something breaks, and which tests hold each of these targets.

killed while indexing           nothing that was acknowledged is lost, nothing is there twice, the next run goes on
killed between two writes       what nobody owns is swept, what is lacking is seen at opening
the same files again            no vector, no write, less than a second for a thousand files
changed, gone or renamed        the old passages go after the new ones came
two writers                     the second one ends at once with exit code 3 and the first one's process
a reader beside a writer        is waited for, or told who holds the workspace
a lock that was left            is free with the death of its process
a disk that is full, read-only  one line, and the index opens as it was
bits that flipped               an error with the command that mends, never a traceback
another embedder                is refused with the command that starts over
429 with Retry-After            is honoured up to 120 s, else 1 to 8 s with jitter, five tries, within the run's caps
5xx, time-out, reset, silence   5 s to connect, 60 s of silence, 180 s a call; a step's error, and the run goes on
400, 401, a window too small    asked once; what was too long once more with half of each passage
malformed output                one hint, and it takes a step
a provider that goes away       after a kill only what is missing is asked again, with equal results
questions that fail             are counted apart from wrong ones and asked again on resume; exit code 4
Ctrl-C and stop                 the child is dead within 0.2 s, the trace closed, the answer marked
a trace that cannot be written  one warning, and at most three seconds at the end
a clock that jumps              limits are kept by clocks that do not
memory                          10,000 files below 1 GB; 200 runs leave less than 50 MB
"""

from __future__ import annotations

import re

import pytest

from tests.held_by import missing

HELD_BY = {
    "killed while indexing": (
        "tests/retrieval/test_kills.py::test_a_run_killed_twenty_times_anywhere_loses_and_doubles_nothing",
        "tests/retrieval/test_kills.py::test_a_run_killed_at_a_seam_loses_and_doubles_nothing",
        "tests/retrieval/test_dense.py::test_a_fill_killed_while_it_writes_goes_on_and_loses_one_batch_at_most",
        "tests/retrieval/test_store_edge.py::test_what_was_written_survives_a_kill",
    ),
    "killed between two writes": (
        "tests/retrieval/test_kills.py::test_a_run_killed_at_a_seam_loses_and_doubles_nothing",
        "tests/retrieval/test_index.py::test_a_run_stopped_at_any_step_resumes_with_nothing_lost_or_doubled",
        "tests/retrieval/test_index.py::test_orphans_are_searchable_until_the_next_run_sweeps_them",
        "tests/retrieval/test_store_edge.py::test_a_kill_between_vectors_and_text_leaves_only_orphans",
    ),
    "the same files again": (
        "tests/retrieval/test_many_files.py::test_a_thousand_unchanged_files_cost_no_vector_no_write_and_no_second",
        "tests/retrieval/test_index.py::test_the_same_files_again_change_nothing",
    ),
    "changed, gone or renamed": (
        "tests/retrieval/test_index.py::test_new_chunks_are_there_before_old_ones_go",
        "tests/retrieval/test_index.py::test_updating_leaves_what_a_fresh_index_has",
        "tests/retrieval/test_index.py::test_a_renamed_file_keeps_its_vectors_and_can_be_found_all_the_time",
        "tests/ui/test_index_process.py::test_what_changes_is_brought_in_and_can_be_searched_meanwhile",
    ),
    "two writers": (
        "tests/ui/test_index_process.py::test_of_two_writers_the_second_names_the_first_and_ends",
        "tests/retrieval/test_workspace.py::test_a_writer_does_not_wait_for_another_writer",
        "tests/retrieval/test_workspace.py::test_another_process_is_named",
    ),
    "a reader beside a writer": (
        "tests/retrieval/test_workspace.py::test_who_only_reads_is_waited_for_and_waits",
        "tests/ui/test_chat_view.py::test_a_desk_over_a_workspace_in_use_says_by_whom",
        "tests/ui/test_commands.py::test_a_workspace_in_use_is_exit_code_3_with_the_holders_id",
    ),
    "a lock that was left": (
        "tests/retrieval/test_workspace.py::test_the_lock_dies_with_its_process",
        "tests/retrieval/test_workspace.py::test_a_forked_worker_does_not_keep_the_lock_of_a_killed_process",
        "tests/ui/test_index_process.py::test_a_killed_run_gives_the_workspace_back_at_once",
    ),
    "a disk that is full, read-only": (
        "tests/ui/test_index_process.py::test_a_full_disk_is_one_line_and_leaves_the_index_as_it_was",
        "tests/ui/test_index_process.py::test_a_disk_too_small_for_an_index_is_one_line",
        "tests/ui/test_index_process.py::test_a_folder_that_cannot_be_written_is_one_line_and_the_index_is_as_it_was",
    ),
    "bits that flipped": (
        "tests/retrieval/test_flips.py::test_fifty_flipped_bits_at_once_are_told_with_the_repair_which_mends_them",
        "tests/retrieval/test_flips.py::test_a_flipped_bit_is_told_or_the_index_still_answers",
        "tests/retrieval/test_index.py::test_repairing_reads_again_only_what_is_missing",
        "tests/retrieval/test_store_edge.py::test_a_file_full_of_noise_is_told_with_the_next_step",
        "tests/retrieval/test_dense.py::test_a_file_cut_short_costs_what_it_lost",
        "tests/ui/test_commands.py::test_a_damaged_index_is_one_line_with_the_repair",
    ),
    "another embedder": (
        "tests/retrieval/test_index.py::test_another_embedder_is_refused_before_anything_is_written",
        "tests/retrieval/test_library.py::test_another_embedder_is_refused_by_its_name",
        "tests/retrieval/test_manifest.py::test_another_embedder_is_refused_with_both_names",
        "tests/retrieval/test_store_edge.py::test_vectors_of_another_length_are_refused",
        "tests/retrieval/test_dense.py::test_another_model_is_refused_until_the_first_is_forgotten",
    ),
    "429 with Retry-After": (
        "tests/agent/test_retries.py::test_the_wait_doubles_and_ends",
        "tests/agent/test_retries.py::test_a_provider_that_asks_for_more_than_two_minutes_is_not_waited_for",
        "tests/agent/test_retries.py::test_a_retry_after_header_is_seconds_or_a_date",
        "tests/agent/test_remote_models.py::test_a_rate_limit_is_waited_for_as_long_as_it_asks",
        "tests/agent/test_remote_models.py::test_what_does_not_pass_is_given_up",
        "tests/agent/test_bad_input.py::test_a_provider_that_asks_for_a_long_wait_does_not_outlast_the_run",
        "tests/agent/test_bad_input.py::test_a_provider_that_recovers_is_as_if_it_had_not_failed",
        "tests/agent/test_budget.py::test_a_call_that_could_go_beyond_the_dollars_does_not_begin",
    ),
    "5xx, time-out, reset, silence": (
        "tests/agent/test_remote_models.py::test_how_long_a_provider_is_waited_for",
        "tests/agent/test_remote_models.py::test_an_address_that_takes_no_connection_is_left",
        "tests/agent/test_remote_models.py::test_a_silence_ends_a_call_before_its_deadline_and_is_not_asked_again",
        "tests/agent/test_remote_models.py::test_a_silent_provider_is_left_at_the_deadline",
        "tests/agent/test_remote_models.py::test_a_line_that_is_held_open_without_an_answer_is_left",
        "tests/agent/test_remote_models.py::test_what_passes_is_asked_again",
        "tests/agent/test_remote_models.py::test_half_an_answer_is_none",
        "tests/agent/test_remote_models.py::test_nothing_is_asked_again_once_text_was_shown",
        "tests/agent/test_bad_input.py::test_a_step_that_the_provider_fails_is_an_error_of_the_step_and_the_run_goes_on",
        "tests/agent/test_bad_input.py::test_half_an_answer_is_an_error",
    ),
    "400, 401, a window too small": (
        "tests/agent/test_remote_models.py::test_a_refusal_is_one_line_and_asked_once",
        "tests/agent/test_remote_models.py::test_a_conversation_beyond_the_window_is_asked_once_more_with_less_of_the_passages",
        "tests/agent/test_remote_models.py::test_what_is_still_too_long_or_cannot_be_shortened_is_given_up",
        "tests/agent/test_bad_input.py::test_a_provider_that_refuses_is_asked_once_and_is_an_error",
        "tests/agent/test_bad_input.py::test_a_conversation_beyond_the_window_is_shortened_once",
        "tests/agent/test_local_model.py::test_a_refusal_is_the_users_to_fix",
    ),
    "malformed output": (
        "tests/agent/test_bad_input.py::test_a_reply_without_code_gets_one_hint_and_takes_a_step",
        "tests/agent/test_bad_input.py::test_a_reply_with_two_blocks_takes_one_step",
        "tests/agent/test_loop.py::test_code_that_fails_is_an_outcome_the_model_is_told",
    ),
    "a provider that goes away": (
        "tests/evals/test_killed_run.py::test_what_is_missing_is_asked_again_and_the_results_are_equal",
        "tests/evals/test_runner.py::test_a_torn_last_line_is_asked_again",
        "tests/evals/test_runner.py::test_what_the_user_can_fix_ends_the_run_and_keeps_what_is_done",
    ),
    "questions that fail": ("tests/evals/test_runner.py::test_errors_are_counted_apart_and_asked_again_on_resume",),
    "Ctrl-C and stop": (
        "tests/agent/test_bad_input.py::test_a_stop_kills_the_child_within_a_fifth_of_a_second",
        "tests/ui/test_ask_process.py::test_ctrl_c_ends_the_code_and_leaves_a_closed_trace",
        "tests/ui/test_chat_command.py::test_ctrl_c_stops_the_run_and_keeps_its_answer",
        "tests/ui/test_chat_view.py::test_stop_ends_the_run_of_its_own_tab_alone",
        "tests/ui/test_index_process.py::test_ctrl_c_in_a_run_is_one_line_and_130",
    ),
    "a trace that cannot be written": (
        "tests/agent/test_tracing.py::test_a_locked_file_delays_the_close_by_a_bounded_time",
        "tests/agent/test_tracing.py::test_a_damaged_or_unwritable_file_is_one_warning",
        "tests/agent/test_tracing.py::test_a_file_that_breaks_during_the_run_is_one_warning",
        "tests/agent/test_sent_traces.py::test_a_receiver_that_is_not_well_costs_a_run_nothing_its_end_three_seconds_and_one_line",
    ),
    "a clock that jumps": (
        "tests/agent/test_clocks.py::test_the_wall_clock_is_read_for_stamps_alone",
        "tests/agent/test_clocks.py::test_a_run_neither_ends_early_nor_lasts_longer_when_the_clock_jumps",
        "tests/agent/test_clocks.py::test_a_date_to_come_back_at_is_the_same_in_every_time_zone",
    ),
    "memory": (
        "tests/retrieval/test_many_files.py::test_ten_thousand_files_are_indexed_within_a_gigabyte",
        "tests/agent/test_soak.py::test_two_hundred_runs_in_one_process_leave_less_than_fifty_megabytes",
    ),
}

NOT_HELD = {
    "bits that flipped": "a letter that flips in a stored passage is not seen at opening, for it has no checksum; what "
    "is cited is looked up in its file before it is shown",
    "questions that fail": "there is no threshold below which failed questions leave the exit code at 0, and no option "
    "that asks only the failed ones again: --resume asks those and the missing ones",
    "a trace that cannot be written": "what a receiver elsewhere costs a run is bounded in processor time, 50 ms, not"
    " on the clock, and its end by four seconds: on a busy machine tighter bounds do not hold",
}
"""Of a row, what no test holds, and why."""


@pytest.mark.parametrize("row", HELD_BY)
def test_a_target_is_held_by_tests_that_exist(row: str) -> None:
    assert missing(HELD_BY[row]) == []


def test_every_row_has_its_tests() -> None:
    assert list(HELD_BY) == re.findall(r"^(\S.*?) {2,}\S", __doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("row", NOT_HELD)
def test_what_is_not_held_is_said(row: str) -> None:
    assert row in HELD_BY
    pytest.skip(f"{row}: {NOT_HELD[row]}")
