//! Answers of HTTP/2 whose other side lets none of them through.

use super::*;

/// Asks for something with a window of so many bytes, takes nothing, and says whether the connection ended.
async fn is_ended(node: &Node, window_bytes: u32) -> bool {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window_bytes);
    let socket = node.connect().await;
    let (mut sender, connection) = builder.handshake::<_, Bytes>(socket).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::get("https://radio.example/who").body(()).expect("a request");
    let (answer, _) = sender.send_request(request, true).expect("sent");
    // Kept: dropping it would give the stream back.
    let _answer = answer.await.expect("an answer");
    connection.await.is_ok()
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_its_connection() {
    let limits = Limits { stall_ms_max: SHORT_MS, ..limits() };
    let node = Node::start(With { limits: Some(limits), ..With::default() });
    for window_bytes in [0, 1, 5] {
        assert!(is_ended(&node, window_bytes).await, "{window_bytes}");
    }
    node.end().await;
}
