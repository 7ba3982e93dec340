import CNghttp2

/// What nghttp2 calls. Plain functions, as closures would inherit the isolation of where they are written; each finds
/// its session behind `context` and does nothing else.
enum HTTP2Callbacks {
    /// A table of the functions below; the caller deletes it.
    static func makeTable() throws(HTTPError) -> OpaquePointer {
        var table: OpaquePointer?
        guard nghttp2_session_callbacks_new(&table) == 0, let table else {
            throw .malformed(reason: "no memory for an HTTP/2 session")
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(table, http2DidBeginHeaders)
        nghttp2_session_callbacks_set_on_header_callback(table, http2DidReceiveHeader)
        nghttp2_session_callbacks_set_on_frame_recv_callback(table, http2DidReceiveFrame)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, http2DidReceiveData)
        nghttp2_session_callbacks_set_on_stream_close_callback(table, http2DidCloseStream)
        return table
    }

    /// A source of an answer's body.
    static func provider() -> nghttp2_data_provider {
        nghttp2_data_provider(source: nghttp2_data_source(), read_callback: http2WantsBody)
    }

    fileprivate static func session(_ context: UnsafeMutableRawPointer?) -> HTTP2Session? {
        context.map { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
    }
}

private func http2DidBeginHeaders(
    _ native: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = HTTP2Callbacks.session(context), let frame, isRequest(frame) else { return 0 }
    session.didBeginRequest(streamID: frame.pointee.hd.stream_id)
    return 0
}

private func http2DidReceiveHeader(
    _ native: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ name: UnsafePointer<UInt8>?, _ nameCount: Int,
    _ value: UnsafePointer<UInt8>?, _ valueCount: Int, _ flags: UInt8, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = HTTP2Callbacks.session(context), let frame, isRequest(frame) else { return 0 }
    let isBearable = session.didReceiveHeader(
        streamID: frame.pointee.hd.stream_id, name: UnsafeBufferPointer(start: name, count: nameCount),
        value: UnsafeBufferPointer(start: value, count: valueCount))
    return isBearable ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}

private func http2DidReceiveFrame(
    _ native: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = HTTP2Callbacks.session(context), let frame else { return 0 }
    let header = frame.pointee.hd
    if isRequest(frame) { session.didReceiveHeaders(streamID: header.stream_id) }
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    let carriesStream =
        header.type == UInt8(NGHTTP2_HEADERS.rawValue) || header.type == UInt8(NGHTTP2_DATA.rawValue)
    if carriesStream, endsStream { session.didReceiveRequest(streamID: header.stream_id) }
    return 0
}

private func http2DidReceiveData(
    _ native: OpaquePointer?, _ flags: UInt8, _ streamID: Int32, _ data: UnsafePointer<UInt8>?, _ byteCount: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    HTTP2Callbacks.session(context)?.didReceiveBody(
        streamID: streamID, bytes: UnsafeBufferPointer(start: data, count: byteCount))
    return 0
}

private func http2DidCloseStream(
    _ native: OpaquePointer?, _ streamID: Int32, _ code: UInt32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    HTTP2Callbacks.session(context)?.didCloseStream(streamID: streamID)
    return 0
}

private func http2WantsBody(
    _ native: OpaquePointer?, _ streamID: Int32, _ target: UnsafeMutablePointer<UInt8>?, _ byteCount: Int,
    _ flags: UnsafeMutablePointer<UInt32>?, _ source: UnsafeMutablePointer<nghttp2_data_source>?,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let session = HTTP2Callbacks.session(context) else {
        return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    let supply = session.supplyBody(
        streamID: streamID, into: UnsafeMutableRawBufferPointer(start: target, count: byteCount))
    switch supply {
    case .bytes(let count, let isEnd):
        if isEnd { flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) }
        return count
    case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    case .never: return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
}

private func isRequest(_ frame: UnsafePointer<nghttp2_frame>) -> Bool {
    frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) && frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
}
