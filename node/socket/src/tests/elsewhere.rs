//! Sockets that vanish, and sockets that are not in their usual place.

use super::*;

#[test]
fn a_socket_that_was_removed_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_at(folder.path());
    let mut ann = node.client();
    // Once it is answered it is accepted; a connection that waits in the old socket ends with it.
    ann.hello().unwrap();
    std::fs::remove_file(&node.path).unwrap();
    let (sender, made) = std::sync::mpsc::channel();
    let home = Home::at(folder.path());
    std::thread::spawn(move || {
        while !matches!(find(&home), Ok(Some(_))) {
            std::thread::yield_now();
        }
        let _ = sender.send(());
    });
    made.recv_timeout(Duration::from_secs(20))
        .expect("a socket, some seconds later");
    assert!(ann.hello().is_ok(), "who was connected stays so");
    assert!(node.client().hello().is_ok());
}

#[test]
fn where_no_socket_can_be_it_is_in_the_runtime_folder_and_found_through_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    // A folder that is not empty stands for a file system that has no sockets: nothing can be bound there.
    std::fs::create_dir_all(home.socket().join("in the way")).unwrap();
    let node = node_at(folder.path());
    assert!(!node.path.starts_with(folder.path()), "{}", node.path.display());
    let mode = std::fs::metadata(node.path.parent().unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(find(&home).unwrap().is_none(), "nobody has said where");
    let lock = home.lock("towline up").unwrap();
    lock.set_socket(&node.path);
    assert!(find(&home).unwrap().unwrap().hello().is_ok());
    // A socket where others can put theirs is not believed.
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let _theirs = std::os::unix::net::UnixListener::bind(open.join("s")).unwrap();
    lock.set_socket(&open.join("s"));
    assert!(find(&home).unwrap().is_none());
}
