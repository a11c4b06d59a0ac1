//! A private Postgres.

use std::process::Command;

use testbed::{Postgres, left_out};

/// Runs `statement` and returns what `psql` prints of its result.
fn ask(url: &str, statement: &str) -> anyhow::Result<String> {
    let output = Command::new("psql").args(["-XAtq", url, "-c", statement]).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[tokio::test]
async fn what_was_committed_survives_a_crash_and_a_stop() -> anyhow::Result<()> {
    if left_out(Postgres::available()) {
        return Ok(());
    }
    let mut postgres = Postgres::start().await?;
    let url = postgres.url();
    ask(&url, "create table survivors as select 42 as answer")?;

    postgres.kill();
    assert!(ask(&url, "select 1").is_err(), "a killed server does not answer");
    postgres.restart().await?;
    assert_eq!(ask(&url, "select answer from survivors")?, "42");

    postgres.stop().await;
    assert!(ask(&url, "select 1").is_err(), "a stopped server does not answer");
    postgres.restart().await?;
    assert_eq!(ask(&url, "select answer from survivors")?, "42");
    Ok(())
}

#[tokio::test]
async fn each_created_database_is_empty_and_the_settings_hold() -> anyhow::Result<()> {
    if left_out(Postgres::available()) {
        return Ok(());
    }
    let postgres = Postgres::start().await?;
    let other = postgres.create_database("other")?;
    ask(&postgres.url(), "create table things (id int)")?;
    assert!(ask(&other, "select * from things").is_err());
    assert_eq!(ask(&other, "show max_connections")?, "100");
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_server() -> anyhow::Result<()> {
    if left_out(Postgres::available()) {
        return Ok(());
    }
    let postgres = Postgres::start().await?;
    let url = postgres.url();
    let directory = ask(&url, "show data_directory")?;
    assert!(super::a_process_mentions(&directory));
    drop(postgres);
    assert!(!super::a_process_mentions(&directory));
    assert!(!std::path::Path::new(&directory).exists());
    Ok(())
}
