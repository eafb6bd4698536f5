"""Checks the sandbox's CodeCommit through boto3; `conformance.py` runs them."""

import hashlib
import uuid

from conformance import check, refused


def repository(context):
    """CodeCommit's client and the name of a repository of the check's own."""
    codecommit = context.client("codecommit")
    name = f"check-{uuid.uuid4()}"
    codecommit.create_repository(repositoryName=name, repositoryDescription="Templates")
    return codecommit, name


def put(codecommit, name, path, content, parent=None):
    parameters = {"parentCommitId": parent} if parent else {}
    return codecommit.put_file(
        repositoryName=name,
        branchName="main",
        filePath=path,
        fileContent=content,
        **parameters,
    )


@check
def a_repository_is_created_shown_listed_and_deleted(context):
    codecommit, name = repository(context)
    shown = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert shown["repositoryName"] == name and "defaultBranch" not in shown
    assert shown["creationDate"].year >= 2024
    names = [entry["repositoryName"] for entry in codecommit.list_repositories()["repositories"]]
    assert name in names
    create = lambda: codecommit.create_repository(repositoryName=name)
    refused(create, "RepositoryNameExistsException")
    bad = lambda: codecommit.create_repository(repositoryName="a b")
    refused(bad, "InvalidRepositoryNameException")
    codecommit.delete_repository(repositoryName=name)
    gone = lambda: codecommit.get_repository(repositoryName=name)
    refused(gone, "RepositoryDoesNotExistException")


@check
def a_file_comes_back_byte_for_byte(context):
    codecommit, name = repository(context)
    content = "<p>{summary} ü</p>\r\n".encode() + bytes(range(256))
    written = put(codecommit, name, "mail/new.html", content)
    file = codecommit.get_file(repositoryName=name, filePath="mail/new.html")
    assert file["fileContent"] == content and file["fileSize"] == len(content)
    header = b"blob %d\0" % len(content)
    assert file["blobId"] == hashlib.sha1(header + content).hexdigest()
    assert file["commitId"] == written["commitId"] and file["fileMode"] == "NORMAL"
    blob = codecommit.get_blob(repositoryName=name, blobId=file["blobId"])
    assert blob["content"] == content
    folder = codecommit.get_folder(repositoryName=name, folderPath="/")
    assert [entry["relativePath"] for entry in folder["subFolders"]] == ["mail"]


@check
def a_new_version_needs_the_tip_as_its_parent(context):
    codecommit, name = repository(context)
    first = put(codecommit, name, "a", b"1")["commitId"]
    refused(lambda: put(codecommit, name, "a", b"2"), "ParentCommitIdRequiredException")
    second = put(codecommit, name, "a", b"2", first)["commitId"]
    outdated = lambda: put(codecommit, name, "a", b"3", first)
    refused(outdated, "ParentCommitIdOutdatedException")
    same = lambda: put(codecommit, name, "a", b"2", second)
    refused(same, "SameFileContentException")
    old = codecommit.get_file(repositoryName=name, filePath="a", commitSpecifier=first)
    assert old["fileContent"] == b"1"
    codecommit.delete_file(
        repositoryName=name, branchName="main", filePath="a", parentCommitId=second
    )
    gone = lambda: codecommit.get_file(repositoryName=name, filePath="a")
    refused(gone, "FileDoesNotExistException")


@check
def branches_are_made_found_and_made_the_default(context):
    codecommit, name = repository(context)
    first = put(codecommit, name, "a", b"1")["commitId"]
    codecommit.create_branch(repositoryName=name, branchName="next", commitId=first)
    put(codecommit, name, "a", b"2", first)
    assert sorted(codecommit.list_branches(repositoryName=name)["branches"]) == ["main", "next"]
    branch = codecommit.get_branch(repositoryName=name, branchName="next")["branch"]
    assert branch["commitId"] == first
    for specifier in ("next", "refs/heads/next"):
        file = codecommit.get_file(
            repositoryName=name, filePath="a", commitSpecifier=specifier
        )
        assert file["fileContent"] == b"1"
    codecommit.update_default_branch(repositoryName=name, defaultBranchName="next")
    assert codecommit.get_file(repositoryName=name, filePath="a")["fileContent"] == b"1"
    missing = lambda: codecommit.get_branch(repositoryName=name, branchName="none")
    refused(missing, "BranchDoesNotExistException")


@check
def what_is_not_there_has_its_own_error(context):
    codecommit, name = repository(context)
    put(codecommit, name, "a", b"1")
    get = lambda **parameters: codecommit.get_file(
        **({"repositoryName": name, "filePath": "a"} | parameters)
    )
    refused(lambda: get(repositoryName="none"), "RepositoryDoesNotExistException")
    refused(lambda: get(filePath="b"), "FileDoesNotExistException")
    refused(lambda: get(filePath="../a"), "InvalidPathException")
    refused(lambda: get(commitSpecifier="none"), "CommitDoesNotExistException")
    refused(lambda: get(commitSpecifier="no ref"), "InvalidCommitException")


@check
def one_commit_can_hold_several_files(context):
    codecommit, name = repository(context)
    files = [{"filePath": path, "fileContent": path.encode()} for path in ("a", "b/c")]
    answer = codecommit.create_commit(repositoryName=name, branchName="main", putFiles=files)
    assert [entry["absolutePath"] for entry in answer["filesAdded"]] == ["a", "b/c"]
    file = codecommit.get_file(repositoryName=name, filePath="b/c")
    assert file["fileContent"] == b"b/c" and file["commitId"] == answer["commitId"]
