//! The table, for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::verdict::Row;

const HEAD: &str = "scenario          messages  lost  twice  good in DLQ  unknown  receives  memory MiB  +KiB/min      took  verdict";

/// The whole table, with what each verdict was held against beneath it.
pub(crate) fn table(rows: &[Row], seed: u64, took: Duration) -> String {
    let failed = rows.iter().filter(|row| !row.failures.is_empty()).count();
    let mut table = format!("{HEAD}\n");
    for row in rows {
        table.push_str(&line(row));
    }
    table.push_str("\nHeld against:\n");
    for row in rows {
        // Writing into a string cannot fail.
        let _infallible = writeln!(table, "  {}: {}", row.scenario, row.held.join("; "));
        for failure in &row.failures {
            let _infallible = writeln!(table, "    FAILED: {failure}");
        }
    }
    let _infallible = writeln!(
        table,
        "\nseed {seed}, {} scenarios, {failed} failed, {:.0} s",
        rows.len(),
        took.as_secs_f64()
    );
    table
}

/// One row as a line.
pub(crate) fn line(row: &Row) -> String {
    let verdict = if row.failures.is_empty() {
        "PASS"
    } else {
        "FAIL"
    };
    format!(
        "{:<16} {:>9} {:>5} {:>6} {:>12} {:>8} {:>9.3} {:>11} {:>9.0} {:>7.0} s  {verdict}\n",
        row.scenario,
        row.messages,
        row.lost,
        row.twice,
        row.dead,
        row.unknown,
        row.receives,
        row.memory.0 / 1024,
        row.memory.1,
        row.took.as_secs_f64(),
    )
}
